"""Functions that wait, in threads or in an event loop; handlers that are classes."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import Answer, HarnessProcess, Serve, in_flight, result
from tests.support.time_limits import at_most

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
    instances = 0

    def __init__(self):
        Loaded.instances += 1
        self.loaded = 0

    def load(self):
        time.sleep(0.3)
        self.loaded += 1

    def predict(self, factor: int = 1):
        return [self.instances, self.loaded, factor]

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


def test_function_runs_in_configured_number_of_threads(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait", MODEL_THREADS="4")
    began = time.monotonic()
    answers = list(threads.map(harness.call, [{"seconds": 0.4}] * 8))
    seconds = time.monotonic() - began
    assert {answer.status for answer in answers} == {200}
    assert 0.8 <= seconds < at_most(1.5)
    assert len({result(answer) for answer in answers}) >= 4


def test_busy_threads_delay_no_other_request(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_THREADS="3", MODEL_IN_FLIGHT="5", MODEL_TIMEOUT_SECONDS="1")
    calls = in_flight(threads, harness, 5, {"seconds": 1.5})
    refused = [
        harness.call({"seconds": 0}),
        harness.call({"second": 0}),
        harness.request("GET", "/x"),
    ]
    assert [answer.status for answer in refused] == [429, 429, 404]
    assert max(answer.seconds for answer in refused) < at_most(0.5)
    assert harness.health("ready") == 200
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [504] * 5
    assert all(0.9 < answer.seconds < at_most(1.6) for answer in answers)
    time.sleep(0.8)
    assert harness.call({"seconds": 0}).status == 200


def test_threads_drain_before_exit(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_THREADS="2")
    calls = in_flight(threads, harness, 4, {"seconds": 0.6})
    harness.terminate()
    assert [call.result().status for call in calls] == [200] * 4
    assert harness.finish()[0] == 0


def test_async_calls_run_concurrently_up_to_limit(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait_async", MODEL_IN_FLIGHT="20")
    began = time.monotonic()
    calls = in_flight(threads, harness, 20, {"seconds": 1})
    excess = harness.call({"seconds": 0})
    assert excess.status == 429
    assert [call.result().status for call in calls] == [200] * 20
    assert time.monotonic() - began < at_most(2)


def test_timeout_cancels_async_call(serve: Serve) -> None:
    harness = serve("wait_async", MODEL_TIMEOUT_SECONDS="0.5")
    late = harness.call({"seconds": 20})
    assert late.status == 504
    assert 0.4 < late.seconds < at_most(1)
    time.sleep(0.2)
    assert result(harness.call({"seconds": 0})) == ["cancelled"]
    harness.terminate()
    status, _, errors = harness.finish()
    assert (status, errors) == (0, "")  # a timeout is not logged as a failure


def test_blocking_async_function_does_not_block_server(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("block", MODEL_TIMEOUT_SECONDS="0.6")
    calls = in_flight(threads, harness, 3, {"seconds": 1.2})
    wrong = harness.call({"second": 1})
    assert (wrong.status, wrong.seconds < at_most(0.3)) == (400, True)
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [504] * 3
    assert all(answer.seconds < at_most(1.1) for answer in answers)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("value", "ValueError: value"),
        ("exit", "SystemExit: 4"),
        ("cancel", "CancelledError"),
        ("result", "TypeError: the result cannot be encoded: "),
    ],
)
def test_async_function_error_is_answered_with_500(serve: Serve, how: str, error: str) -> None:
    harness = serve("fail")
    answer = harness.call({"how": how})
    assert answer.status == 500
    assert answer.errors()[0].startswith(error)
    assert harness.call({"how": "again"}).errors() == ["ValueError: again"]
    harness.terminate()
    first = json.loads(harness.finish()[2].splitlines()[0])
    assert first["request_id"] == answer.headers["x-request-id"]


def test_async_calls_drain_before_exit(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait_async")
    calls = in_flight(threads, harness, 5, {"seconds": 0.8})
    harness.terminate()
    assert [call.result().status for call in calls] == [200] * 5
    assert harness.finish()[0] == 0


def test_class_is_instantiated_and_loaded_once(serve: Serve) -> None:
    harness = serve("Loaded")
    assert result(harness.call({"factor": 3})) == [1, 1, 3]
    assert result(harness.call({})) == [1, 1, 1]
    assert harness.call({"self": 1}).status == 400


def test_class_with_async_predict_and_without_load(serve: Serve) -> None:
    assert result(serve("Plain").call({"x": 5})) == 5


def test_callable_object_is_a_handler(serve: Serve) -> None:
    assert result(serve("instance").call({"x": 5})) == -5


def test_async_function_with_threads_is_refused(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict:wait_async", {"MODEL_THREADS": "2"})
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert errors.splitlines()[-1] == (
        "handler predict:wait_async is async and uses no threads: up to 64 calls run at a time "
        "(limits.inFlight); remove threads: 2"
    )


def test_256_threads_start_and_answer(serve: Serve) -> None:
    harness = serve("wait", MODEL_THREADS="256", MODEL_IN_FLIGHT="512")
    tasks = Path(f"/proc/{harness.child()}/task")
    assert len(list(tasks.iterdir())) > 257
    gate = threading.Barrier(100)

    def call() -> Answer:
        gate.wait()
        return harness.call({"seconds": 0.5})

    with ThreadPoolExecutor(100) as many:
        answers = [future.result() for future in [many.submit(call) for _ in range(100)]]
    assert {answer.status for answer in answers} == {200}
    assert max(answer.seconds for answer in answers) < at_most(3)
