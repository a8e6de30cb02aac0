"""A harness as a process on loopback ports, as a container runs it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.time_limits import at_most

ROOT = Path(__file__).resolve().parents[2]
# The harness for R needs the package of the Python harness.
HARNESS = os.pathsep.join(str(ROOT / "harness" / folder) for folder in ("python", "r"))
START_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> object:
        return json.loads(self.body)

    def errors(self) -> list[str]:
        body = self.json()
        assert isinstance(body, dict), body
        errors = body["errors"]
        assert isinstance(errors, list), body
        return errors


@dataclass
class HarnessProcess:
    """`with HarnessProcess(folder, "predict:predict") as harness: harness.call(...)`."""

    folder: Path
    handler: str
    settings: Mapping[str, str] = field(default_factory=dict)
    model: str = "golden"
    version: str = "v7"
    package: str = "model_harness"

    def __enter__(self) -> "HarnessProcess":
        self.start()
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start the process without waiting for it."""
        self.port, self.health_port = _free_ports(2)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MODEL_")
        }
        environment |= {
            "PYTHONPATH": HARNESS,
            "PYTHONDONTWRITEBYTECODE": "1",
            "MODEL_NAME": self.model,
            "MODEL_VERSION": self.version,
            "MODEL_HANDLER": self.handler,
            "MODEL_HOST": "127.0.0.1",
            "MODEL_PORT": str(self.port),
            "MODEL_HEALTH_PORT": str(self.health_port),
            **self.settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", self.package],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def await_ready(self) -> None:
        """Wait until the harness is ready."""
        end = time.monotonic() + at_most(START_SECONDS)
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the harness ended:\n{self.finish()[2]}")
            if self.health("ready") == 200:
                return
            time.sleep(0.02)
        raise AssertionError("the harness was not ready in time")

    def end(self) -> None:
        """Kill the process if it runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def finish(self, seconds: float = START_SECONDS) -> tuple[int, str, str]:
        """Wait for the end; return (exit status, standard output, standard error)."""
        output, errors = self.process.communicate(timeout=at_most(seconds))
        return self.process.returncode, output.decode(), errors.decode()

    def child(self) -> int:
        """Return the process id of the serving process."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(path.read_text().split()[0])

    def health(self, probe: str, timeout: float = 2.0) -> int | None:
        """Return the status of /health/<probe>; None while the port is closed."""
        try:
            return self.request(
                "GET", f"/health/{probe}", port=self.health_port, timeout=timeout
            ).status
        except OSError:
            return None

    def call(self, data: Mapping[str, object], timeout: float = 30.0) -> Answer:
        """Call the function with named arguments."""
        body = json.dumps({"data": data}).encode()
        headers = {"Content-Type": "application/json"}
        return self.request("POST", "/model", headers, body, timeout=timeout)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        port: int | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """Send only these headers (and Host and Content-Length)."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, content, time.monotonic() - started)

    def connect(self) -> socket.socket:
        """Return a TCP connection to the server."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


Serve = Callable[..., HarnessProcess]
"""The fixture `serve`: takes the name of a function, or a handler, and settings."""


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Return status and body of one response on a TCP connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def result(answer: Answer) -> object:
    """Return the result of the function."""
    body = answer.json()
    assert isinstance(body, dict), body
    assert answer.status == 200, body
    return body["result"]


def in_flight(
    threads: ThreadPoolExecutor, harness: HarnessProcess, count: int, data: Mapping[str, object]
) -> list[Future[Answer]]:
    """Start calls and wait until they have arrived."""
    futures = [threads.submit(harness.call, data) for _ in range(count)]
    time.sleep(0.3)
    return futures


def is_running(process: object) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for unbound in sockets:
            unbound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]
    finally:
        for bound in sockets:
            bound.close()
