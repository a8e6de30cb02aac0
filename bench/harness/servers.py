"""Server processes on loopback ports: the harness, bare Granian, and the peers."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from bench.harness import processes

ROOT = Path(__file__).resolve().parents[2]
SERVED = Path(__file__).parent / "served"
IRIS = ROOT / "models/iris/v1"
START_SECONDS = 120.0
"""The slowest peer takes 10 s on a busy machine."""
END_SECONDS = 10.0
_POLL_SECONDS = 0.002
_OK = 200


@dataclass(frozen=True)
class Call:
    """A request, and a part of the expected response."""

    path: str
    body: bytes
    holds: bytes


@dataclass
class Server:
    """`with Server(...) as server:` starts it and waits for a correct response."""

    name: str
    command: Sequence[str]
    """The command; `{port}` is replaced."""
    calls: Mapping[str, Call]
    """Requests by function. All servers of a comparison have the same functions."""
    folder: Path = SERVED
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    workers: int = 1

    def __enter__(self) -> "Server":
        self.start()
        for call in self.calls.values():
            self.await_answer(call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self) -> None:
        """Return at once."""
        self.port, *more = free_ports(2)
        ports = {"{port}": str(self.port), "{health}": str(more[0])}
        self.health_port = more[0]
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        environment = {name: value for name, value in os.environ.items() if not _ours(name)}
        self.process = subprocess.Popen(
            [ports.get(argument, argument) for argument in self.command],
            cwd=self.folder,
            env=environment
            | {name: ports.get(value, value) for name, value in self.settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def await_answer(self, call: Call) -> None:
        """Wait for the correct response: all servers run the same function."""
        end = time.monotonic() + START_SECONDS
        status, body = 0, b""
        while time.monotonic() < end:
            self.check_alive()
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = ask(self.port, call)
                if status == _OK:
                    break
            time.sleep(0.05)
        if status != _OK or call.holds not in body:
            self.end()
            raise SystemExit(f"{self.name}{call.path} answers {status} {body[:500]!r}")

    def await_ready(self) -> None:
        """Wait until the harness reports readiness."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self.check_alive()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(self.health_port, Call("/health/ready", b"", b""))[0] == _OK:
                    return
            time.sleep(_POLL_SECONDS)
        raise SystemExit(f"{self.name} is not ready within {START_SECONDS:g} s")

    def check_alive(self) -> None:
        """Raise with its output if it has exited."""
        if self.process.poll() is not None:
            self._log.seek(0)
            printed = self._log.read().decode(errors="replace")[-3000:]
            raise SystemExit(f"{self.name} ended with {self.process.returncode}:\n{printed}")

    def end(self) -> None:
        """Terminate the process and its descendants."""
        pids = processes.of_tree(self.process.pid)
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        for number in {*pids, *processes.of_tree(self.process.pid)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all its processes."""
        return processes.cpu_seconds(self.process.pid)

    def resident(self) -> int:
        """Return the memory of all its processes in bytes; shared pages count in each."""
        return processes.resident(self.process.pid)


def ask(port: int, call: Call) -> tuple[int, bytes]:
    """Send one request on a new connection; return status and body. Without a body: GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        if call.body:
            connection.request("POST", call.path, call.body, {"Content-Type": "application/json"})
        else:
            connection.request("GET", call.path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Return unused ports of the loopback interface."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


def harness(
    name: str,
    folder: Path,
    handler: str,
    calls: Mapping[str, Call],
    *,
    workers: int = 1,
    package: str = "model_harness",
    python: Sequence[str] = (sys.executable,),
    settings: Mapping[str, str] | None = None,
) -> Server:
    """Return the harness as its container runs it."""
    return Server(
        name,
        [*python, "-P", "-m", package],
        calls,
        folder,
        {
            "PYTHONPATH": os.pathsep.join(str(ROOT / "harness" / part) for part in ("python", "r")),
            "MODEL_NAME": "bench",
            "MODEL_VERSION": "v1",
            "MODEL_HANDLER": handler,
            "MODEL_HOST": "127.0.0.1",
            "MODEL_PORT": "{port}",
            "MODEL_HEALTH_PORT": "{health}",
            "MODEL_WORKERS": str(workers),
            **(settings or {}),
        },
        workers=workers,
    )


def _ours(name: str) -> bool:
    return name.startswith(("MODEL_", "PYTHON", "R_LIBS"))
