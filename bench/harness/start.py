"""Time from spawn to ready, compared with importing the user's module alone."""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.harness.functions import ours
from bench.harness.plumber import ours as r_ours
from bench.harness.servers import IRIS, SERVED, Server

ROUNDS = 11
TIMES = 1.3
PLUS_SECONDS = 0.3


@dataclass(frozen=True)
class Start:
    """A module, the harness with it, and a command that only imports it."""

    name: str
    server: Server
    bare: Sequence[str]
    folder: Path


def _python(name: str, server: Server, folder: Path) -> Start:
    return Start(name, server, [sys.executable, "-c", "import predict"], folder)


def _starts() -> list[Start]:
    source = 'source("functions.R")'
    bare = ["Rscript", "--no-init-file", "-e", source]
    return [
        _python("noop", ours("noop"), SERVED / "noop"),
        _python("numpy-and-sklearn", ours("iris"), IRIS),
        Start("r", r_ours("predict", 1), bare, SERVED / "r"),
        Start("r-2-workers", r_ours("predict", 2), bare, SERVED / "r"),
    ]


def _ready_seconds(server: Server) -> float:
    began = time.perf_counter()
    server.start()
    try:
        server.await_ready()
        return time.perf_counter() - began
    finally:
        server.end()


def _bare_seconds(start: Start) -> float:
    began = time.perf_counter()
    subprocess.run(start.bare, cwd=start.folder, check=True, capture_output=True)
    return time.perf_counter() - began


def run(scale: float) -> list[Figure]:
    """Measure alternately; compare medians."""
    return [_figure(start, max(3, round(ROUNDS * scale))) for start in _starts()]


def _figure(start: Start, rounds: int) -> Figure:
    pairs = [(_ready_seconds(start.server), _bare_seconds(start)) for _ in range(rounds)]
    ready, bare = (statistics.median(values) for values in zip(*pairs, strict=True))
    limit = TIMES * bare + PLUS_SECONDS
    text = (
        f"ready after {ready:.2f} s, median of {rounds}; its module alone takes {bare:.2f} s, "
        f"so under {limit:.2f} s"
    )
    values = {"ready": round(ready, 3), "bare": round(bare, 3), "wanted": round(limit, 3)}
    return Figure(f"start-{start.name}", ready < limit, text, values)
