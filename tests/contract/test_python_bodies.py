"""Request bodies that are slow, broken, too large or many."""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from model_harness.http.request_body import GRACE_SECONDS

from tests.contract.harness_process import Serve, read_answer
from tests.support.time_limits import at_most

FUNCTIONS = """
import time

def quick():
    return 0

def size(text):
    return len(text)

def wait(seconds):
    time.sleep(seconds)
    return seconds
"""


HEAD = b"POST /model HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


def test_slow_bodies_delay_no_other_request_and_hold_no_slot(serve: Serve) -> None:
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
    assert min(times) < at_most(0.1)
    for connection in slow:
        connection.sendall(body[3:])
        assert read_answer(connection)[0] == 200
        connection.close()


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_chunked_body_is_read_to_end(serve: Serve) -> None:
    harness = serve("size")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for part in (b'{"data": {"te', b'xt": "123', b'45"}}', b""):
            connection.sendall(_chunk(part))
            time.sleep(0.02)
        status, body = read_answer(connection)
    assert (status, json.loads(body)["result"]) == (200, 5)


def test_broken_chunked_body_never_reaches_function(serve: Serve) -> None:
    harness = serve("quick")
    with harness.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(b'{"data": {}}'))
        connection.sendall(b"ZZ\r\n")
        status, body = read_answer(connection)
    assert (status, json.loads(body)["errors"][0][:26]) == (400, "the chunked body broke off")
    assert harness.call({}).status == 200


@pytest.mark.parametrize("length", [50, 100_000])
def test_broken_body_is_answered_with_400(serve: Serve, length: int) -> None:
    harness = serve("quick")
    with harness.connect() as connection:
        connection.sendall(HEAD + b'Content-Length: %d\r\n\r\n{"data": {}}' % length)
        connection.shutdown(socket.SHUT_WR)  # the client still reads
        status, body = read_answer(connection)
    assert (status, json.loads(body)["errors"]) == (400, ["the body broke off before its end"])
    assert harness.call({}).status == 200


def test_chunked_body_over_limit_is_refused_without_using_memory(serve: Serve) -> None:
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


def test_content_length_over_limit_is_refused_before_body(serve: Serve) -> None:
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
def test_client_that_reads_after_sending_gets_response(
    serve: Serve, head: bytes, status: int
) -> None:
    harness = serve("size", MODEL_BODY_BYTES="1000000")
    with harness.connect() as connection:
        # as a proxy does; closing the connection meanwhile would break this
        connection.sendall(head + b"Content-Length: 50000000\r\n\r\n")
        for _ in range(50):
            connection.sendall(b"x" * 1_000_000)
        assert read_answer(connection)[0] == status


STALLED = {
    "accepted": HEAD + b"Content-Length: 9\r\n\r\n{",
    "wrong path": HEAD.replace(b"/model ", b"/nowhere ") + b"Content-Length: 9\r\n\r\n{",
    "too long": HEAD + b"Content-Length: 99999999\r\n\r\n{",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}


@pytest.mark.parametrize("request_start", STALLED.values(), ids=list(STALLED))
def test_stalled_connections_delay_no_other_request_and_are_closed(
    serve: Serve, request_start: bytes
) -> None:
    harness = serve("quick")
    stalled = [harness.connect() for _ in range(800)]
    try:
        for connection in stalled:
            connection.sendall(request_start)
        answer = harness.call({})
        assert answer.status in {200, 429}  # 429 while too many bodies arrive
        assert answer.seconds < at_most(1.0)
        assert harness.health("live") == 200
        end = time.monotonic() + at_most(GRACE_SECONDS + 3)
        for connection in stalled:
            connection.settimeout(max(0.01, end - time.monotonic()))
            while _receive(connection):
                pass
        assert harness.call({}).status == 200
    finally:
        for connection in stalled:
            connection.close()


@pytest.mark.parametrize("request_start", [b"", b"POST /model HTTP/1.1\r\nX: "])
def test_idle_connections_delay_no_other_request(serve: Serve, request_start: bytes) -> None:
    harness = serve("quick")
    idle = [harness.connect() for _ in range(2000)]
    try:
        for connection in idle:
            connection.sendall(request_start)
        answer = harness.call({})
        assert (answer.status, answer.seconds < at_most(1.0)) == (200, True)
        assert harness.health("ready") == 200
    finally:
        for connection in idle:
            connection.close()


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def _pour(connection: socket.socket, megabytes: int) -> None:
    try:
        for _ in range(megabytes * 16):
            connection.sendall(_chunk(b"x" * 65536))
    except OSError:
        pass  # refused, as expected


def _resident_bytes(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_many_requests_leak_no_memory(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("size")
    body = json.dumps({"data": {"text": "x" * 1000}}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    def send(count: int) -> int:
        with harness.connect() as connection:
            successes = 0
            for _ in range(count):
                connection.sendall(request)
                successes += read_answer(connection)[0] == 200
            return successes

    assert sum(threads.map(send, [100] * 8)) == 800
    before = _resident_bytes(harness.child())
    assert sum(threads.map(send, [500] * 8)) == 4000
    assert _resident_bytes(harness.child()) - before < 2_000_000


def test_disconnected_clients_hold_no_slot(serve: Serve) -> None:
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
