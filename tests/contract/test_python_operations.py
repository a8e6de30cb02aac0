"""How the Python harness behaves under load, on bad lines, at its start and at its end."""

import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import HarnessProcess, Serve, in_flight, read_answer, runs

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
def test_a_busy_function_keeps_nobody_waiting(
    serve: Serve, threads: ThreadPoolExecutor, function: str
) -> None:
    harness = serve(function, MODEL_IN_FLIGHT="3", MODEL_TIMEOUT_SECONDS="1")
    calls = in_flight(threads, harness, 3, {"seconds": 2})

    over = harness.call({"seconds": 2})
    unknown = harness.ask("GET", "/elsewhere")
    wrong = harness.ask("POST", "/model", {"Content-Type": "text/plain"}, b"x")

    assert (over.status, over.headers["retry-after"]) == (429, "1")
    assert (unknown.status, wrong.status) == (404, 415)
    assert max(over.seconds, unknown.seconds, wrong.seconds) < 0.5
    for what in ("live", "ready"):
        began = time.monotonic()
        assert harness.health(what) == 200
        assert time.monotonic() - began < 0.3
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [504, 504, 504]
    assert all(0.9 < answer.seconds < 1.6 for answer in answers)


def test_wrong_arguments_are_told_while_the_function_is_busy(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait")
    busy = in_flight(threads, harness, 1, {"seconds": 1})
    answer = harness.call({"second": 1})
    assert answer.status == 400
    assert not busy[0].done()


def test_the_function_is_free_again_after_a_time_out(serve: Serve) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="0.3")
    assert harness.call({"seconds": 0.6}).status == 504
    time.sleep(0.5)
    assert harness.call({"seconds": 0}).status == 200


def test_calls_run_one_at_a_time_and_all_are_answered(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait")
    began = time.monotonic()
    answers = list(threads.map(harness.call, [{"seconds": 0.05}] * 16))
    assert [answer.status for answer in answers] == [200] * 16
    assert time.monotonic() - began > 16 * 0.05


def test_health_does_not_wait_for_a_function_that_holds_the_gil(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("hold_the_gil")
    letters = next(n for n in range(18, 40) if harness.call({"letters": n}).seconds > 0.4) + 2
    call = in_flight(threads, harness, 1, {"letters": letters})[0]
    for what in ("live", "ready"):
        began = time.monotonic()
        assert harness.health(what) == 200
        assert time.monotonic() - began < 0.3
    assert not call.done()
    assert call.result().status == 200


def test_slow_bodies_neither_slow_others_nor_fill_the_line(serve: Serve) -> None:
    harness = serve("quick", MODEL_IN_FLIGHT="4")
    body = b'{"data": {}}'
    slow = [harness.connect() for _ in range(200)]
    for connection in slow:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
    times = []
    for n in range(3):
        for connection in slow:
            connection.sendall(body[n : n + 1])
        answer = harness.call({})
        assert answer.status == 200
        times.append(answer.seconds)
    assert min(times) < 0.1
    for connection in slow:
        connection.sendall(body[3:])
        assert read_answer(connection)[0] == 200
        connection.close()


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_a_chunked_body_is_read_to_its_end(serve: Serve) -> None:
    harness = serve("size")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for part in (b'{"data": {"te', b'xt": "123', b'45"}}', b""):
            connection.sendall(_chunk(part))
            time.sleep(0.02)
        status, body = read_answer(connection)
    assert (status, json.loads(body)["result"]) == (200, 5)


def test_a_chunked_body_that_breaks_off_never_reaches_the_function(serve: Serve) -> None:
    harness = serve("quick")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(b'{"data": {}}'))
        connection.sendall(b"ZZ\r\n")
        status, body = read_answer(connection)
    assert (status, json.loads(body)["errors"][0][:26]) == (400, "the chunked body broke off")
    assert harness.call({}).status == 200


@pytest.mark.parametrize("length", [50, 100_000])
def test_a_body_that_breaks_off_is_the_clients_mistake(serve: Serve, length: int) -> None:
    harness = serve("quick")
    with harness.connect() as connection:
        connection.sendall(HEAD + b'Content-Length: %d\r\n\r\n{"data": {}}' % length)
        connection.shutdown(socket.SHUT_WR)  # it still listens
        status, body = read_answer(connection)
    assert (status, json.loads(body)["errors"]) == (400, ["the body broke off before its end"])
    assert harness.call({}).status == 200


def test_a_chunked_body_over_the_limit_is_refused_without_being_held(serve: Serve) -> None:
    harness = serve("size", MODEL_BODY_BYTES="1000000")
    before = _resident_bytes(harness.child())
    refused = 0
    for _ in range(4):
        with harness.connect() as connection:
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            sender = threading.Thread(target=_pour, args=(connection, 200), daemon=True)
            sender.start()
            refused += read_answer(connection)[0] == 413
    assert refused == 4
    assert _resident_bytes(harness.child()) - before < 20_000_000
    assert harness.call({"text": "x" * 900_000}).json()["result"] == 900_000


def test_a_declared_length_over_the_limit_is_refused_before_the_body(serve: Serve) -> None:
    harness = serve("size", MODEL_BODY_BYTES="1000000")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 200000000\r\n\r\n")
        status, body = read_answer(connection)
    message = "the body is over the limit of 1000000 bytes"
    assert (status, json.loads(body)["errors"]) == (413, [message])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD, 413),
        (HEAD.replace(b"/model ", b"/nowhere "), 404),
        (HEAD.replace(b"application/json", b"text/plain"), 415),
    ],
    ids=["too long", "wrong path", "wrong type"],
)
def test_a_sender_that_reads_only_after_its_whole_body_gets_the_answer(
    serve: Serve, head: bytes, status: int
) -> None:
    harness = serve("size", MODEL_BODY_BYTES="1000000")
    with harness.connect() as connection:
        # as a proxy does; a connection that was closed meanwhile would break this off
        connection.sendall(head + b"Content-Length: 50000000\r\n\r\n")
        for _ in range(50):
            connection.sendall(b"x" * 1_000_000)
        assert read_answer(connection)[0] == status


def _pour(connection: socket.socket, megabytes: int) -> None:
    try:
        for _ in range(megabytes * 16):
            connection.sendall(_chunk(b"x" * 65536))
    except OSError:
        pass  # refused: that is what the test wants


def _resident_bytes(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_many_requests_leave_no_memory_behind(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("size")
    body = json.dumps({"data": {"text": "x" * 1000}}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    def ask(count: int) -> int:
        with harness.connect() as connection:
            good = 0
            for _ in range(count):
                connection.sendall(request)
                good += read_answer(connection)[0] == 200
            return good

    assert sum(threads.map(ask, [100] * 8)) == 800
    before = _resident_bytes(harness.child())
    assert sum(threads.map(ask, [500] * 8)) == 4000
    assert _resident_bytes(harness.child()) - before < 2_000_000


def test_clients_that_go_away_leave_nothing_behind(serve: Serve) -> None:
    harness = serve("wait", MODEL_IN_FLIGHT="2")
    for _ in range(20):
        with harness.connect() as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    for _ in range(2):
        with harness.connect() as connection:
            body = b'{"data": {"seconds": 0.05}}'
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    time.sleep(0.3)
    assert harness.call({"seconds": 0}).status == 200


def test_an_exception_goes_to_the_log_with_the_request_id(serve: Serve) -> None:
    harness = serve("wait")
    answer = harness.call({"seconds": "long"})
    assert answer.status == 500
    assert answer.errors()[0].startswith("TypeError: ")
    assert b"Traceback" not in answer.body
    harness.terminate()
    status, _, errors = harness.finish()
    lines = [json.loads(line) for line in errors.splitlines()]
    found = [x for x in lines if x.get("request_id") == answer.headers["x-request-id"]]
    assert status == 0
    assert len(found) == 1
    assert 'File "' in found[0]["traceback"]
    assert found[0]["level"] == "error"


def test_a_function_that_exits_does_not_end_the_process(serve: Serve) -> None:
    harness = serve("leave")
    assert harness.call({}).errors() == ["SystemExit: 3"]
    assert harness.call({}).errors() == ["SystemExit: 3"]


def test_a_result_that_is_no_json_is_the_functions_error(serve: Serve) -> None:
    answer = serve("unencodable").call({})
    assert answer.status == 500
    assert "builtins.object is not JSON" in answer.errors()[0]


def test_plain_hints_are_checked_by_name(serve: Serve) -> None:
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


def test_what_is_in_flight_is_finished_before_the_end(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait")
    calls = in_flight(threads, harness, 3, {"seconds": 0.5})
    harness.terminate()
    time.sleep(0.1)
    assert harness.health("ready") == 503
    assert harness.health("live") == 200
    assert [call.result().status for call in calls] == [200, 200, 200]
    assert harness.finish()[0] == 0


def test_the_end_does_not_wait_for_ever(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="0.2")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        time.sleep(0.1)
        began = time.monotonic()
        harness.terminate()
        status, _, errors = harness.finish()
    assert status == 0
    assert 4 < time.monotonic() - began < 8
    assert "stopped with requests in flight" in errors


def test_a_killed_function_ends_the_container_and_says_how(serve: Serve) -> None:
    harness = serve("quick")
    os.kill(harness.child(), signal.SIGKILL)
    status, _, errors = harness.finish()
    assert status == 128 + signal.SIGKILL
    assert errors.splitlines()[-1] == "the model's process was killed by SIGKILL; out of memory?"


def test_a_killed_parent_leaves_no_child_behind(serve: Serve) -> None:
    harness = serve("quick")
    child = harness.child()
    harness.process.kill()
    harness.process.communicate(timeout=10)
    end = time.monotonic() + 5
    while runs(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not runs(child)


def test_a_short_silence_of_the_front_is_taken_for_a_busy_function(serve: Serve) -> None:
    harness = serve("quick")
    os.kill(harness.child(), signal.SIGSTOP)
    try:
        assert harness.health("ready") == 200
        assert harness.health("live") == 200
    finally:
        os.kill(harness.child(), signal.SIGCONT)


@pytest.mark.parametrize("path", ["/", "/metrics/", "/health"])
def test_health_knows_only_its_paths(serve: Serve, path: str) -> None:
    harness = serve("quick")
    answer = harness.ask("GET", path, port=harness.health_port)
    assert answer.status == 404
    assert answer.headers["x-model-version"] == "v7"


def test_before_the_function_is_loaded_calls_get_503(folder: Path) -> None:
    (folder / "slow.py").write_text("import time\ntime.sleep(2)\ndef f():\n    return 0\n")
    harness = HarnessProcess(folder, "slow:f")
    harness.start()
    try:
        end = time.monotonic() + 10
        while harness.health("live") is None and time.monotonic() < end:
            time.sleep(0.02)
        assert harness.health("ready") == 503
        time.sleep(0.5)
        assert harness.call({}).status == 503
        harness.await_ready()
        assert harness.call({}).status == 200
    finally:
        harness.end()


START_FAILURES = [
    ("nowhere:f", "there is no module 'nowhere' in "),
    ("package.inner:f", "there is no module 'package' in "),
    ("imports_missing:f", "imports_missing imports 'not_installed_anywhere', which is not inst"),
    ("raises:f", "importing raises raised ZeroDivisionError: division by zero"),
    ("exits:f", "importing exits ended the process (SystemExit: 4)"),
    ("broken:f", "importing broken raised SyntaxError: "),
    ("kinds:missing", "module kinds has no 'missing'; it defines Bare, Broken, Late, Needy, good"),
    ("kinds:NUMBER", "handler kinds:NUMBER is not callable: it is a int"),
    ("kinds:strict", "cannot be called by name: a, b is positional-only; remove the /"),
    ("kinds:stream", "handler kinds:stream is a generator; return a list"),
    ("kinds:Bare", "handler kinds:Bare is a class without a method predict; write one"),
    ("kinds:Needy", "handler kinds:Needy: Needy needs path, but nobody gives arguments"),
    ("kinds:Broken", "handler kinds:Broken: load() raised KeyError: 'weights'"),
    ("kinds:Late", "handler kinds:Late: load is async; it runs once, before any call"),
]


@pytest.mark.parametrize(("label", "message"), START_FAILURES, ids=lambda value: value[:30])
def test_a_handler_that_cannot_be_served_ends_the_start(
    folder: Path, label: str, message: str
) -> None:
    (folder / "imports_missing.py").write_text("import not_installed_anywhere\ndef f(): ...\n")
    (folder / "raises.py").write_text("1 / 0\n")
    (folder / "exits.py").write_text("import sys\nsys.exit(4)\n")
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "kinds.py").write_text(
        "from pathlib import Path\n"  # is not what the module defines
        "NUMBER = 1\ndef good(a): ...\ndef strict(a, b, /, c): ...\n"
        "def stream():\n    yield 1\n"
        "class Bare: ...\n"
        "class Needy:\n    def __init__(self, path): ...\n    def predict(self): ...\n"
        "class Broken:\n    def load(self): {}['weights']\n    def predict(self): ...\n"
        "class Late:\n    async def load(self): ...\n    def predict(self): ...\n"
    )
    harness = HarnessProcess(folder, label)
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert message in errors.splitlines()[-1]
    assert "Fatal" not in errors


def test_every_mistake_of_the_settings_is_told_at_once(folder: Path) -> None:
    wrong = {"MODEL_NAME": "Iris", "MODEL_VERSION": "1", "MODEL_IN_FLIGHT": "0"}
    harness = HarnessProcess(folder, "predict", wrong)
    harness.model, harness.version = "Iris", "1"
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert [line.split()[0] for line in errors.splitlines()] == [
        "MODEL_NAME",
        "MODEL_VERSION",
        "MODEL_HANDLER",
        "MODEL_IN_FLIGHT",
    ]


@pytest.mark.parametrize("variable", ["MODEL_PORT", "MODEL_HEALTH_PORT"])
@pytest.mark.parametrize("taken", ["port", "health_port"])
def test_a_taken_port_is_told(serve: Serve, folder: Path, variable: str, taken: str) -> None:
    port = getattr(serve("quick"), taken)
    second = HarnessProcess(folder, "predict:quick", {variable: str(port)})
    second.start()
    try:
        status, _, errors = second.finish()
    finally:
        second.end()
    assert status == 1
    message = f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert errors.splitlines()[-1] == message


def test_the_users_modules_do_not_shadow_the_harnesss(serve: Serve, folder: Path) -> None:
    for name in ("queue", "signal", "socket", "http", "json", "granian"):
        (folder / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    assert serve("quick").call({}).status == 200
