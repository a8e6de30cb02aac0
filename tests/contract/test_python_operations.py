"""The Python harness under load, with bad connections, at its start and at its end."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import Serve, in_flight, is_running
from tests.support.time_limits import at_most

FUNCTIONS = """
import re, subprocess, sys, time

def quick():
    return 0

def size(text):
    return len(text)

def wait(seconds):
    time.sleep(seconds)
    return seconds

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds

def hold_the_gil(letters):
    re.match(r"(a+)+$", "a" * letters + "b")
    return letters

def leave():
    sys.exit(3)

def unencodable():
    return {"what": object()}

def hinted(x: float, n: int = 1, *, s: str = "", flag: bool = False):
    return [x, n, s, flag]
"""
HEAD = b"POST /model HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("function", ["wait", "spin"])
def test_busy_function_delays_no_other_request(
    serve: Serve, threads: ThreadPoolExecutor, function: str
) -> None:
    harness = serve(function, MODEL_IN_FLIGHT="3", MODEL_TIMEOUT_SECONDS="1")
    calls = in_flight(threads, harness, 3, {"seconds": 2})

    excess = harness.call({"seconds": 2})
    unknown = harness.request("GET", "/elsewhere")
    wrong = harness.request("POST", "/model", {"Content-Type": "text/plain"}, b"x")

    assert (excess.status, excess.headers["retry-after"]) == (429, "1")
    assert (unknown.status, wrong.status) == (404, 415)
    assert max(excess.seconds, unknown.seconds, wrong.seconds) < at_most(0.5)
    for probe in ("live", "ready"):
        started = time.monotonic()
        assert harness.health(probe) == 200
        assert time.monotonic() - started < at_most(0.3)
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [504, 504, 504]
    assert all(0.9 < answer.seconds < at_most(1.6) for answer in answers)


def test_wrong_arguments_are_reported_while_function_is_busy(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait")
    busy = in_flight(threads, harness, 1, {"seconds": 1})
    answer = harness.call({"second": 1})
    assert answer.status == 400
    assert not busy[0].done()


def test_function_is_free_after_timeout(serve: Serve) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="0.3")
    assert harness.call({"seconds": 0.6}).status == 504
    time.sleep(0.5)
    assert harness.call({"seconds": 0}).status == 200


def test_calls_run_one_at_a_time(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    started = time.monotonic()
    answers = list(threads.map(harness.call, [{"seconds": 0.05}] * 16))
    assert [answer.status for answer in answers] == [200] * 16
    assert time.monotonic() - started > 16 * 0.05


def test_health_does_not_wait_for_function_that_holds_gil(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("hold_the_gil")
    letters = next(n for n in range(18, 40) if harness.call({"letters": n}).seconds > 0.4) + 2
    call = in_flight(threads, harness, 1, {"letters": letters})[0]
    for probe in ("live", "ready"):
        started = time.monotonic()
        assert harness.health(probe) == 200
        assert time.monotonic() - started < at_most(0.3)
    assert not call.done()
    assert call.result().status == 200


def test_exception_is_logged_with_request_id(serve: Serve) -> None:
    harness = serve("wait")
    answer = harness.call({"seconds": "long"})
    assert answer.status == 500
    assert answer.errors()[0].startswith("TypeError: ")
    assert b"Traceback" not in answer.body
    harness.terminate()
    status, _, errors = harness.finish()
    lines = [json.loads(line) for line in errors.splitlines()]
    records = [x for x in lines if x.get("request_id") == answer.headers["x-request-id"]]
    assert status == 0
    assert len(records) == 1
    assert 'File "' in records[0]["traceback"]
    assert records[0]["level"] == "error"


def test_sys_exit_in_function_does_not_end_process(serve: Serve) -> None:
    harness = serve("leave")
    assert harness.call({}).errors() == ["SystemExit: 3"]
    assert harness.call({}).errors() == ["SystemExit: 3"]


def test_result_that_is_not_json_is_answered_with_500(serve: Serve) -> None:
    answer = serve("unencodable").call({})
    assert answer.status == 500
    assert "builtins.object is not JSON" in answer.errors()[0]


def test_plain_hints_are_checked(serve: Serve) -> None:
    harness = serve("hinted")
    assert harness.call({"x": 1, "n": 2, "s": "a", "flag": True}).status == 200
    wrong = harness.call({"x": True, "n": 1.5, "s": None, "flag": 0})
    assert wrong.status == 400
    assert wrong.errors() == [
        "argument 'x' must be a number, not true or false",
        "argument 'n' must be a whole number, not a number",
        "argument 's' must be a string, not null",
        "argument 'flag' must be true or false, not a whole number",
    ]


def test_calls_in_flight_drain_before_exit(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    calls = in_flight(threads, harness, 3, {"seconds": 0.5})
    harness.terminate()
    time.sleep(0.1)
    assert harness.health("ready") == 503
    assert harness.health("live") == 200
    assert [call.result().status for call in calls] == [200, 200, 200]
    assert harness.finish()[0] == 0


def test_drain_has_time_limit(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="0.2")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 60000\r\n\r\n{")
        time.sleep(0.1)
        started = time.monotonic()
        harness.terminate()
        status, _, errors = harness.finish()
    assert status == 0
    assert 4 < time.monotonic() - started < at_most(8)
    assert "stopped with requests in flight" in errors


def test_killed_worker_ends_container_with_reason(serve: Serve) -> None:
    harness = serve("quick")
    os.kill(harness.child(), signal.SIGKILL)
    status, _, errors = harness.finish()
    assert status == 128 + signal.SIGKILL
    assert errors.splitlines()[-1] == "the serving process was killed by SIGKILL; out of memory?"


def test_killed_parent_leaves_no_child(serve: Serve) -> None:
    harness = serve("quick")
    child = harness.child()
    harness.process.kill()
    harness.process.communicate(timeout=at_most(10))
    end = time.monotonic() + at_most(5)
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(child)


def test_short_pause_of_server_is_healthy(serve: Serve) -> None:
    harness = serve("quick")
    os.kill(harness.child(), signal.SIGSTOP)
    try:
        assert harness.health("ready") == 200
        assert harness.health("live") == 200
    finally:
        os.kill(harness.child(), signal.SIGCONT)


@pytest.mark.parametrize("path", ["/", "/metrics/", "/health"])
def test_health_port_answers_404_for_other_paths(serve: Serve, path: str) -> None:
    harness = serve("quick")
    answer = harness.request("GET", path, port=harness.health_port)
    assert answer.status == 404
    assert answer.headers["x-model-version"] == "v7"
