"""`/health/live`, `/health/ready` and `/metrics` on a port of their own, answered from memory.

Live: the front has answered *anything* not too long ago, and every worker's interpreter runs.
Ready: every worker has loaded the function once, one of them has it now, and the front answers,
until SIGTERM. All of that is asked by a thread here, not by the prober's request, so that health
itself never waits.
"""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model_harness.errors import StartupError
from model_harness.identity import HARNESS_ID, RequestIds
from model_harness.metrics import CONTENT_TYPE, Exposition
from model_harness.settings import Settings
from model_harness.shared import Board

ASK_SECONDS = 1.0  # between questions to the front
START_ASK_SECONDS = 0.01  # until it has answered once
ANSWER_SECONDS = 5.0  # one question waits so long
# A function that holds the GIL keeps the front from answering. It may do so for its time-out; after
# that and this much more the front is dead, whatever the reason.
SILENT_SECONDS = 60.0
_QUESTION = (
    f"GET / HTTP/1.1\r\nHost: health\r\nX-Request-Id: {HARNESS_ID}\r\nConnection: close\r\n\r\n"
).encode()


class Health:
    """What is known of the workers, and the server that tells it."""

    def __init__(self, settings: Settings, board: Board) -> None:
        """Neither ready nor dead. The workers write to the board."""
        self._settings = settings
        self._board = board
        self._loaded = False
        self._draining = False
        self._answered: float | None = None
        self._since = time.monotonic()
        self._silent_seconds = settings.timeout_seconds + SILENT_SECONDS

    def start(self) -> None:
        """Listen and watch. Raises StartupError."""
        address = (self._settings.host, self._settings.health_port)
        try:
            server = _server(address, self, Exposition(self._settings, self._board), self._settings)
        except OSError as error:
            message = f"cannot listen on {address[0]}:{address[1]}: {error.strerror}"
            raise StartupError(message) from error
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        threading.Thread(target=self._watch, name="front", daemon=True).start()

    def loaded(self) -> None:
        """All workers can call the function. From here on silence counts."""
        self._since = time.monotonic()
        self._loaded = True

    def draining(self) -> None:
        """Told to stop: no new traffic, please."""
        self._draining = True

    def live(self) -> str | None:
        """Return None, or why the front or a worker counts as dead."""
        now = time.monotonic()
        silent = now - max(self._since, self._answered or 0.0)
        if self._loaded and silent > self._silent_seconds:
            return f"the front has not answered for {silent:.0f} s"
        for number, row in enumerate(self._board.rows):
            silent = now - row.heartbeat
            if row.ready and silent > self._silent_seconds:
                return f"worker {number} has given no sign of life for {silent:.0f} s"
        return None

    def ready(self) -> str | None:
        """Return None, or why there should be no traffic."""
        if self._draining:
            return "stopping"
        if not self._loaded:
            return "the function is not loaded yet"
        if not any(row.ready for row in self._board.rows):
            return "no worker is left"
        if self._answered is None:
            return "the front has not answered yet"
        return self.live()

    def _watch(self) -> None:
        while not all(row.ready for row in self._board.rows):
            time.sleep(START_ASK_SECONDS)
        self.loaded()
        while True:
            if self._front_answers():
                self._answered = time.monotonic()
            time.sleep(START_ASK_SECONDS if self._answered is None else ASK_SECONDS)

    def _front_answers(self) -> bool:
        """Any answer counts: a 404 shows as well that listener, threads and GIL are alive."""
        try:
            with socket.create_connection(self._settings.front, ANSWER_SECONDS) as front:
                front.sendall(_QUESTION)
                return front.recv(12).startswith(b"HTTP/1.1 ")
        except OSError:
            return False


def _server(
    address: tuple[str, int], health: Health, metrics: Exposition, settings: Settings
) -> ThreadingHTTPServer:
    ids = RequestIds()
    checks = {"/health/live": health.live, "/health/ready": health.ready}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10  # seconds that an idle connection may hold a thread

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE, metrics.text())
                return
            check = checks.get(self.path)
            if check is None:
                self._say(404, "no such path; use /health/live, /health/ready or /metrics")
                return
            reason = check()
            self._say(503 if reason else 200, reason or "ok")

        def _say(self, status: int, text: str) -> None:
            self._answer(status, "application/json", json.dumps({"status": text}).encode())

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-Id", ids.of(self.headers["X-Request-Id"]))
            self.send_header("X-Model-Version", settings.version)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """No line per probe."""

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    return server
