"""Alternate servers round by round, so that other load affects all of them alike."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.harness import wrk
from bench.harness.servers import Server

SECONDS = 2.0
_MICROSECONDS = 1e6

Rounds = Mapping[str, Sequence[wrk.Load]]
"""Loads by server; equal indexes are the same round."""


@dataclass(frozen=True)
class Ratio:
    """Median, minimum and maximum over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Ratio":
        """Compute the ratios round by round."""
        ratios = [
            our_value / their_value for our_value, their_value in zip(ours, theirs, strict=True)
        ]
        return cls(statistics.median(ratios), min(ratios), max(ratios))


def measure(
    servers: Sequence[Server], call: str, rounds: int, seconds: float = SECONDS
) -> dict[str, list[wrk.Load]]:
    """Measure each server once per round, every second round in reverse, after a short warm-up."""
    loads: dict[str, list[wrk.Load]] = {server.name: [] for server in servers}
    for server in servers:
        wrk.run(server, server.calls[call], 1)
    for number in range(rounds):
        for server in servers if number % 2 else reversed(servers):
            loads[server.name].append(wrk.run(server, server.calls[call], seconds))
    return loads


def figure(name: str, loads: Rounds, ours: str, theirs: str, limit: float) -> Figure:
    """Return the ratio of requests per second; limit 0 means none."""
    ratio = Ratio.of([load.rate for load in loads[ours]], [load.rate for load in loads[theirs]])
    cpu = Ratio.of([load.cpu for load in loads[theirs]], [load.cpu for load in loads[ours]])
    text = (
        f"{ratio.median:.2f} times {theirs} ({ratio.least:.2f} to {ratio.most:.2f}, "
        f"{len(loads[ours])} rounds){f', limit {limit:g}' if limit else ''}; "
        f"{_describe(ours, loads[ours])}; {_describe(theirs, loads[theirs])}"
    )
    values = {
        "median": round(ratio.median, 3),
        "least": round(ratio.least, 3),
        "most": round(ratio.most, 3),
        "wanted": limit,
        "cpu": round(cpu.median, 3),
    }
    return Figure(name, ratio.median >= limit, text, values)


def _describe(name: str, loads: Sequence[wrk.Load]) -> str:
    rate = statistics.median(load.rate for load in loads)
    p50, p99 = (
        statistics.median(getattr(load, name) for load in loads) * 1000 for name in ("p50", "p99")
    )
    cpu = statistics.median(load.cpu for load in loads) * _MICROSECONDS
    return f"{name} {rate:.0f}/s, p50 {p50:.1f} p99 {p99:.1f} ms, CPU {cpu:.0f} us"
