"""The R harness: its workers, its start, its log, its end."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import (
    ROOT,
    HarnessProcess,
    Serve,
    in_flight,
    is_running,
    result,
)
from tests.contract.r_handlers import FUNCTIONS, PACKAGE, workers
from tests.support.time_limits import at_most


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.R").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def package() -> str:
    return PACKAGE


def test_sample_model_predicts() -> None:
    with HarnessProcess(ROOT / "models/mpg/v1", "predict:predict", package=PACKAGE) as harness:
        named = result(harness.call({"wt": 2.62, "hp": 110}))
        body = json.dumps({"parameters": [2.62, 110]}).encode()
        headers = {"Content-Type": "application/json"}
        positional = result(harness.request("POST", "/model", headers, body))
        many = result(harness.call({"wt": [2.62, 2.875], "hp": [110, 110]}))
    assert named == positional == pytest.approx(23.572329, abs=1e-6)
    assert many == [named, pytest.approx(22.583483, abs=1e-6)]


def test_workers_are_processes_that_run_concurrently(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait", MODEL_WORKERS="3")
    started = time.monotonic()
    answers = [call.result() for call in in_flight(threads, harness, 3, {"seconds": 0.6})]
    assert time.monotonic() - started < at_most(1.1)
    assert {result(answer) for answer in answers} == set(workers(harness))
    assert len(workers(harness)) == 3


def test_single_worker_runs_one_call_at_a_time(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    started = time.monotonic()
    answers = [call.result() for call in in_flight(threads, harness, 4, {"seconds": 0.2})]
    assert {result(answer) for answer in answers} == set(workers(harness))
    assert time.monotonic() - started > 0.75


EXITS = [
    ("quit", "the R process ended with status 3"),
    ("killed", "the R process was killed by SIGKILL; out of memory?"),
    ("child", "the R process was killed by SIGKILL; out of memory?"),
    ("closed", "the R process was killed: it closed its pipe"),
    ("segfault", "the R process was killed by SIGSEGV"),
]


@pytest.mark.parametrize(("how", "message"), EXITS, ids=[how for how, _ in EXITS])
def test_ended_worker_fails_its_call_and_is_replaced(serve: Serve, how: str, message: str) -> None:
    harness = serve("die")
    answer = harness.call({"how": how})
    assert (answer.status, answer.errors()) == (
        500,
        [f"WorkerEndedError: {message}; a new one is being started"],
    )
    assert answer.seconds < at_most(2)
    before = workers(harness)
    again = harness.call({"how": "quit"})
    assert again.status == 500
    assert "status 3" in again.errors()[0]
    assert harness.health("ready") == 200
    assert workers(harness) != before or before == []


def test_worker_that_ends_between_calls_is_replaced(serve: Serve) -> None:
    harness = serve("process")
    first = result(harness.call({}))
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + at_most(5)
    while workers(harness) in ([], [first]) and time.monotonic() < end:
        time.sleep(0.02)
    assert [result(harness.call({}))] == workers(harness) != [first]


def test_failed_restarts_end_container(serve: Serve, folder: Path) -> None:
    harness = serve("process")
    (folder / "predict.R").write_text("stop('the weights are missing')\n")
    answer = harness.call({})
    os.kill(workers(harness)[0], signal.SIGKILL)
    status, _, errors = harness.finish()
    assert answer.status == 200
    assert status == 70
    attempts = [line for line in errors.splitlines() if "cannot be restarted: " in line]
    assert len(attempts) == 5
    assert "loading predict.R failed at line 1: simpleError: the weights are missing" in attempts[0]
    assert "R cannot be restarted; ending the process" in errors.splitlines()[-1]


def test_hanging_call_gets_504_and_delays_no_other(
    serve: Serve, folder: Path, threads: ThreadPoolExecutor
) -> None:
    text = FUNCTIONS + "\nmay_hang <- function(x) if (x) hang() else Sys.getpid()\n"
    (folder / "predict.R").write_text(text)
    harness = serve("may_hang", MODEL_WORKERS="2", MODEL_TIMEOUT_SECONDS="0.5")
    before = set(workers(harness))
    hanging = in_flight(threads, harness, 1, {"x": True})[0]
    concurrent = [harness.call({"x": False}) for _ in range(20)]
    assert max(answer.seconds for answer in concurrent) < at_most(0.4)
    assert not hanging.done()
    answer = hanging.result()
    assert (answer.status, answer.errors()) == (504, ["the function took longer than 0.5 s"])
    assert answer.seconds < at_most(1.0)
    end = time.monotonic() + at_most(5)
    while set(workers(harness)) - before == set() and time.monotonic() < end:
        time.sleep(0.02)
    assert len(before & set(workers(harness))) == 1, "the hanging process was killed"
    answers = [harness.call({"x": False}) for _ in range(8)]
    assert {answer.status for answer in answers} == {200}
    harness.terminate()
    assert "the R process was killed: its call took too long; starting" in harness.finish()[2]


def test_slow_call_delays_no_other(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_WORKERS="2")
    for call in in_flight(threads, harness, 24, {"seconds": 0}):  # the calls look fast
        assert call.result().status == 200
    slow = in_flight(threads, harness, 1, {"seconds": 1.5})
    quick = in_flight(threads, harness, 14, {"seconds": 0.001})
    assert max(call.result().seconds for call in quick) < at_most(0.7)
    assert not slow[0].done()
    assert slow[0].result().status == 200


def test_single_worker_recovers_after_slow_call(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="1")
    for call in in_flight(threads, harness, 24, {"seconds": 0}):
        assert call.result().status == 200
    slow = in_flight(threads, harness, 1, {"seconds": 30})[0]
    quick = in_flight(threads, harness, 7, {"seconds": 0})
    assert slow.result().status == 504
    # The calls behind it time out as well, or run; nothing else fails.
    assert {call.result().status for call in quick} <= {200, 504}
    assert harness.call({"seconds": 0}).status == 200


def test_answers_are_not_mixed_up(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("column", MODEL_WORKERS="2")

    def check(count: int) -> bool:
        values = [count + number / 7 for number in range(count)]
        columns = result(harness.call({"values": values}))
        return isinstance(columns, dict) and columns["back"] == values

    counts = [2 + 50_000 * (number % 9 == 0) + number for number in range(300)]
    assert all(threads.map(check, counts))


def test_answers_are_not_mixed_up_where_calls_are_reclaimed(
    serve: Serve, threads: ThreadPoolExecutor, folder: Path
) -> None:
    # One in forty is slow: the calls behind it are reclaimed while R reads.
    text = "slow <- function(x) { if (x %% 40 == 0) Sys.sleep(0.0052); x }\n"
    (folder / "predict.R").write_text(text)
    harness = serve("slow", MODEL_WORKERS="2")

    def check(number: int) -> bool:
        return result(harness.call({"x": number})) == number

    assert all(threads.map(check, range(3000)))


def test_long_request_is_not_starved(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("size")
    stop = threading.Event()

    def call_repeatedly() -> None:
        while not stop.is_set():
            harness.call({"text": "x"})

    loops = [threads.submit(call_repeatedly) for _ in range(16)]
    time.sleep(0.3)
    seconds = [harness.call({"text": "x" * 100_000}).seconds for _ in range(20)]
    stop.set()
    for loop in loops:
        loop.result()
    assert max(seconds) < at_most(0.4)


def test_timeout_includes_queueing(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="3")
    first = in_flight(threads, harness, 1, {"seconds": 2})[0]
    second = in_flight(threads, harness, 1, {"seconds": 30})[0]
    assert first.result().status == 200
    assert second.result().status == 504
    # R is killed at the timeout, not three seconds after it started the second call.
    time.sleep(0.7)
    assert not is_running(result(first.result()))


def test_health_and_errors_do_not_wait_for_r(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    call = in_flight(threads, harness, 1, {"seconds": 1})[0]
    started = time.monotonic()
    assert harness.health("live") == harness.health("ready") == 200
    assert harness.call({"second": 1}).errors() == [
        "argument 'second' is unknown; the function takes seconds",
        "argument 'seconds' is missing",
    ]
    assert time.monotonic() - started < at_most(0.6)
    assert not call.done()


def test_calls_in_flight_drain_before_exit(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    before = workers(harness)
    calls = in_flight(threads, harness, 3, {"seconds": 0.4})
    harness.terminate()
    time.sleep(0.1)
    assert harness.health("ready") == 503
    assert [call.result().status for call in calls] == [200, 200, 200]
    assert harness.finish()[0] == 0
    assert before
    assert not any(map(is_running, before))


def test_temporary_files_are_removed_with_process(serve: Serve) -> None:
    harness = serve("temporary")
    folders = [Path(str(result(harness.call({}))))]
    os.kill(workers(harness)[0], signal.SIGKILL)
    time.sleep(0.2)
    folders.append(Path(str(result(harness.call({})))))
    assert not folders[0].exists()
    assert folders[1].exists()
    harness.terminate()
    assert harness.finish()[0] == 0
    end = time.monotonic() + at_most(5)
    while folders[1].exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not folders[1].exists()


def test_killed_harness_leaves_no_r_process(serve: Serve) -> None:
    harness = serve("quick", MODEL_WORKERS="2")
    before = workers(harness)
    harness.process.kill()
    harness.process.communicate(timeout=at_most(10))
    end = time.monotonic() + at_most(5)
    while any(map(is_running, before)) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(before) == 2
    assert not any(map(is_running, before))


def test_killed_workers_are_replaced_under_load(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("process", MODEL_WORKERS="2")
    killed = threading.Event()
    statuses: list[int] = []

    def call_repeatedly() -> None:
        while not killed.is_set():
            statuses.append(harness.call({}).status)

    loops = [threads.submit(call_repeatedly) for _ in range(12)]  # enough to pipeline calls
    deaths = 0
    for _ in range(6):
        for process in workers(harness)[:1]:
            os.kill(process, signal.SIGKILL)
            deaths += 1
        time.sleep(0.4)
    killed.set()
    for loop in loops:
        loop.result()
    assert deaths >= 4
    assert statuses.count(500) <= deaths
    assert set(statuses) <= {200, 500}
    assert statuses.count(200) > 20
