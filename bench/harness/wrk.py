"""Load by wrk: one thread with 32 kept-alive connections from loopback."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.harness.servers import Call, Server

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_name("post.lua")
_MICROSECONDS = 1e6


class LoadError(Exception):
    """Raised for an invalid run: some requests were not answered with 200."""


@dataclass(frozen=True)
class Load:
    """The figures of a run."""

    requests: int
    rate: float
    """Responses per second."""
    p50: float
    """Latencies in seconds."""
    p99: float
    cpu: float
    """CPU seconds of the server per request."""


def check_wrk() -> None:
    """Exit if wrk is not installed."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk, which makes the load, is missing: apt-get install wrk")


def run(server: Server, call: Call, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Load a server. Raises LoadError if a response was not 200."""
    address = f"http://127.0.0.1:{server.port}{call.path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    before = server.cpu_seconds()
    done = subprocess.run(
        [*command, "-s", str(_SCRIPT), address],
        env={**os.environ, "BODY": call.body.decode()},
        capture_output=True,
        text=True,
        check=True,
    )
    spent = server.cpu_seconds() - before
    summary: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    server.check_alive()
    if summary["refused"] or summary["broken"] or not summary["requests"]:
        raise LoadError(f"{server.name}{call.path}: {done.stdout}")
    return Load(
        summary["requests"],
        summary["requests"] / summary["microseconds"] * _MICROSECONDS,
        summary["p50"] / _MICROSECONDS,
        summary["p99"] / _MICROSECONDS,
        spent / summary["requests"],
    )
