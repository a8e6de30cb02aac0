"""Functions that wait: in several threads, or in an event loop. Classes that load."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import Answer, HarnessProcess, Serve, in_flight, result

FUNCTIONS = """
import asyncio, sys, threading, time

ended = []

def wait(seconds):
    time.sleep(seconds)
    return threading.get_ident()

async def wait_async(seconds):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise
    return ended

async def block(seconds):
    time.sleep(seconds)

async def fail(how):
    await asyncio.sleep(0)
    if how == "exit":
        sys.exit(4)
    if how == "cancel":
        raise asyncio.CancelledError
    if how == "result":
        return object()
    raise ValueError(how)

class Loaded:
    made = 0

    def __init__(self):
        Loaded.made += 1
        self.loaded = 0

    def load(self):
        time.sleep(0.3)
        self.loaded += 1

    def predict(self, factor: int = 1):
        return [self.made, self.loaded, factor]

class Plain:
    async def predict(self, x):
        return x

class Callable:
    def __call__(self, x):
        return -x

instance = Callable()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


def test_just_so_many_threads_are_in_the_function(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait", MODEL_THREADS="4")
    began = time.monotonic()
    answers = list(threads.map(harness.call, [{"seconds": 0.4}] * 8))
    seconds = time.monotonic() - began
    assert {answer.status for answer in answers} == {200}
    assert 0.8 <= seconds < 1.5
    assert len({result(answer) for answer in answers}) >= 4


def test_all_threads_busy_keep_nobody_waiting(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_THREADS="3", MODEL_IN_FLIGHT="5", MODEL_TIMEOUT_SECONDS="1")
    calls = in_flight(threads, harness, 5, {"seconds": 1.5})
    refused = [harness.call({"seconds": 0}), harness.call({"second": 0}), harness.ask("GET", "/x")]
    assert [answer.status for answer in refused] == [429, 429, 404]
    assert max(answer.seconds for answer in refused) < 0.5
    assert harness.health("ready") == 200
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [504] * 5
    assert all(0.9 < answer.seconds < 1.6 for answer in answers)
    time.sleep(0.8)
    assert harness.call({"seconds": 0}).status == 200


def test_threads_finish_what_is_in_flight(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_THREADS="2")
    calls = in_flight(threads, harness, 4, {"seconds": 0.6})
    harness.terminate()
    assert [call.result().status for call in calls] == [200] * 4
    assert harness.finish()[0] == 0


def test_an_async_function_runs_for_all_in_flight_at_once(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait_async", MODEL_IN_FLIGHT="20")
    began = time.monotonic()
    calls = in_flight(threads, harness, 20, {"seconds": 1})
    over = harness.call({"seconds": 0})
    assert over.status == 429
    assert [call.result().status for call in calls] == [200] * 20
    assert time.monotonic() - began < 2


def test_a_time_out_cancels_an_async_call(serve: Serve) -> None:
    harness = serve("wait_async", MODEL_TIMEOUT_SECONDS="0.5")
    late = harness.call({"seconds": 20})
    assert late.status == 504
    assert 0.4 < late.seconds < 1
    time.sleep(0.2)
    assert result(harness.call({"seconds": 0})) == ["cancelled"]
    harness.terminate()
    status, _, errors = harness.finish()
    assert (status, errors) == (0, "")  # what was ended by the time-out is no failure to log


def test_an_async_function_that_blocks_keeps_the_front_from_nothing(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("block", MODEL_TIMEOUT_SECONDS="0.6")
    calls = in_flight(threads, harness, 3, {"seconds": 1.2})
    wrong = harness.call({"second": 1})
    assert (wrong.status, wrong.seconds < 0.3) == (400, True)
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [504] * 3
    assert all(answer.seconds < 1.1 for answer in answers)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("value", "ValueError: value"),
        ("exit", "SystemExit: 4"),
        ("cancel", "CancelledError"),
        ("result", "TypeError: the result cannot be encoded: "),
    ],
)
def test_whatever_an_async_function_raises_is_its_own_500(
    serve: Serve, how: str, error: str
) -> None:
    harness = serve("fail")
    answer = harness.call({"how": how})
    assert answer.status == 500
    assert answer.errors()[0].startswith(error)
    assert harness.call({"how": "again"}).errors() == ["ValueError: again"]
    harness.terminate()
    first = json.loads(harness.finish()[2].splitlines()[0])
    assert first["request_id"] == answer.headers["x-request-id"]


def test_async_calls_are_finished_before_the_end(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait_async")
    calls = in_flight(threads, harness, 5, {"seconds": 0.8})
    harness.terminate()
    assert [call.result().status for call in calls] == [200] * 5
    assert harness.finish()[0] == 0


def test_a_class_is_made_and_loaded_once_before_it_is_ready(serve: Serve) -> None:
    harness = serve("Loaded")
    assert result(harness.call({"factor": 3})) == [1, 1, 3]
    assert result(harness.call({})) == [1, 1, 1]
    assert harness.call({"self": 1}).status == 400


def test_a_class_without_load_and_with_an_async_predict(serve: Serve) -> None:
    assert result(serve("Plain").call({"x": 5})) == 5


def test_an_object_that_can_be_called_is_a_handler(serve: Serve) -> None:
    assert result(serve("instance").call({"x": 5})) == -5


def test_threads_for_an_async_function_are_refused(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict:wait_async", {"MODEL_THREADS": "2"})
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert errors.splitlines()[-1] == (
        "handler predict:wait_async is async, which needs no threads: up to 64 calls run at a time "
        "(limits.inFlight); remove threads: 2"
    )


def test_many_threads_start_and_answer(serve: Serve) -> None:
    harness = serve("wait", MODEL_THREADS="256", MODEL_IN_FLIGHT="512")
    tasks = Path(f"/proc/{harness.child()}/task")
    assert len(list(tasks.iterdir())) > 257
    gate = threading.Barrier(100)

    def call() -> Answer:
        gate.wait()
        return harness.call({"seconds": 0.5})

    with ThreadPoolExecutor(100) as many:
        answers = [one.result() for one in [many.submit(call) for _ in range(100)]]
    assert {answer.status for answer in answers} == {200}
    assert max(answer.seconds for answer in answers) < 3
