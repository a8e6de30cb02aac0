"""`/health/live`, `/health/ready` and `/metrics` on their own port, answered from memory.

Live: the HTTP server has answered *anything* recently, and the interpreter of every worker runs.
Ready: every worker has loaded the function once, one of them is ready now, and the HTTP server
answers, until SIGTERM. A thread of the parent checks all of that, not the request of the prober, so
that a probe never waits.
"""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model_harness.errors import StartupError
from model_harness.observability.internal_requests import INTERNAL_REQUEST_ID
from model_harness.observability.metrics import CONTENT_TYPE, Exposition
from model_harness.observability.request_id import RequestIds
from model_harness.observability.worker_stats import WorkerTable
from model_harness.settings import Settings

PROBE_INTERVAL_SECONDS = 1.0
START_PROBE_INTERVAL_SECONDS = 0.01  # until the HTTP server has answered once
PROBE_TIMEOUT_SECONDS = 5.0
# A function that holds the GIL keeps the HTTP server from answering. It may do so until its time
# limit; this much later the server counts as dead, whatever the reason.
UNRESPONSIVE_SECONDS = 60.0
_PROBE_REQUEST = (
    f"GET / HTTP/1.1\r\nHost: health\r\nX-Request-Id: {INTERNAL_REQUEST_ID}\r\n"
    "Connection: close\r\n\r\n"
).encode()


class Health:
    """The health of the workers, and the server that reports it."""

    def __init__(self, settings: Settings, table: WorkerTable) -> None:
        """Create it neither ready nor dead. The workers write to the table."""
        self._settings = settings
        self._table = table
        self._loaded = False
        self._draining = False
        self._answered_at: float | None = None
        self._loaded_at = time.monotonic()
        self._unresponsive_seconds = settings.timeout_seconds + UNRESPONSIVE_SECONDS

    def start(self) -> None:
        """Listen and start to probe. Raise StartupError where the port is not free."""
        address = (self._settings.host, self._settings.health_port)
        metrics = Exposition(self._settings, self._table)
        try:
            server = _server(address, self, metrics, self._settings)
        except OSError as error:
            message = f"cannot listen on {address[0]}:{address[1]}: {error.strerror}"
            raise StartupError(message) from error
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        threading.Thread(target=self._probe_forever, name="probe", daemon=True).start()

    def mark_loaded(self) -> None:
        """Start to count unresponsive time: every worker has loaded the function."""
        self._loaded_at = time.monotonic()
        self._loaded = True

    def mark_draining(self) -> None:
        """Report not ready from now on."""
        self._draining = True

    def live(self) -> str | None:
        """Return None, or why the HTTP server or a worker counts as dead."""
        now = time.monotonic()
        silent = now - max(self._loaded_at, self._answered_at or 0.0)
        if self._loaded and silent > self._unresponsive_seconds:
            return f"the HTTP server has not answered for {silent:.0f} s"
        for number, slot in enumerate(self._table.slots):
            silent = now - slot.heartbeat
            if slot.ready and silent > self._unresponsive_seconds:
                return f"worker {number} has sent no heartbeat for {silent:.0f} s"
        return None

    def ready(self) -> str | None:
        """Return None, or why the container must not receive traffic."""
        if self._draining:
            return "stopping"
        if not self._loaded:
            return "the function is not loaded yet"
        if not any(slot.ready for slot in self._table.slots):
            return "no worker is ready"
        if self._answered_at is None:
            return "the HTTP server has not answered yet"
        return self.live()

    def _probe_forever(self) -> None:
        while not all(slot.ready for slot in self._table.slots):
            time.sleep(START_PROBE_INTERVAL_SECONDS)
        self.mark_loaded()
        while True:
            if self._probe():
                self._answered_at = time.monotonic()
            starting = self._answered_at is None
            time.sleep(START_PROBE_INTERVAL_SECONDS if starting else PROBE_INTERVAL_SECONDS)

    def _probe(self) -> bool:
        """Return whether the server answers; a 404 proves that listener, threads and GIL work."""
        address = self._settings.local_address
        try:
            with socket.create_connection(address, PROBE_TIMEOUT_SECONDS) as connection:
                connection.sendall(_PROBE_REQUEST)
                return connection.recv(12).startswith(b"HTTP/1.1 ")
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
                self._respond(200, CONTENT_TYPE, metrics.text())
                return
            check = checks.get(self.path)
            if check is None:
                self._respond_status(
                    404, "no such path; use /health/live, /health/ready or /metrics"
                )
                return
            reason = check()
            self._respond_status(503 if reason else 200, reason or "ok")

        def _respond_status(self, status: int, text: str) -> None:
            self._respond(status, "application/json", json.dumps({"status": text}).encode())

        def _respond(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-Id", ids.accept_or_new(self.headers["X-Request-Id"]))
            self.send_header("X-Model-Version", settings.version)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing for a probe."""

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    return server
