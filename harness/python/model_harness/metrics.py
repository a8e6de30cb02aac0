"""Prometheus metrics: counted by the workers, read and shown by the parent on the health port.

prometheus_client's own counters cost ten times as much a request and, for several processes, files;
so only its exposition is used, and imported at the first question: it is no part of the start.
A worker counts in plain lists and shows them to the parent a few times a second (watchdog.py).
"""

import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from model_harness.settings import Settings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from model_harness.shared import Board

BOUNDS = (  # seconds; a harness adds microseconds, a time-out is 30 s unless the stack says else
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
KINDS = {  # what a refusal's status says of its kind; 500 is told apart below
    400: "request",
    401: "token",
    404: "request",
    405: "request",
    406: "request",
    411: "request",
    413: "request",
    415: "request",
    429: "busy",
    503: "not_ready",
    504: "timeout",
}
STATUSES = (200, 500, *KINDS)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = 0  # one for each bound, and one above
_SUM = len(BOUNDS) + 1
_FUNCTION_ERRORS = _SUM + 1
_STATUSES = _FUNCTION_ERRORS + 1
_OTHER = _STATUSES + len(STATUSES)
CELLS = _OTHER + 1  # of a process
_CELL = {status: _STATUSES + n for n, status in enumerate(STATUSES)}


class Counters:
    """What one process counts. Threads of it may count at the same time."""

    def __init__(self, shown: "memoryview[float] | None" = None) -> None:
        """`shown` is where the parent reads; without, nobody does."""
        self._shown = _nowhere() if shown is None else shown
        self._cells: list[float] = list(self._shown)  # a worker's successor counts on
        self._durations: list[float] = []
        self._lock = threading.Lock()

    def answered(self, seconds: float) -> None:
        """Count a result, so many seconds after its request was complete.

        Sorted into buckets later, all at once: that costs a request less than a look-up each.
        """
        self._durations.append(seconds)

    def refused(self, status: int) -> None:
        """Count any other answer."""
        cell = _CELL.get(status, _OTHER)
        with self._lock:
            self._cells[cell] += 1.0

    def function_failed(self) -> None:
        """Say of a 500, which is counted as well, that it was the function's."""
        with self._lock:
            self._cells[_FUNCTION_ERRORS] += 1.0

    def show(self) -> None:
        """Let the parent see what was counted until now."""
        count = len(self._durations)
        batch = sorted(self._durations[:count])
        del self._durations[:count]  # what other threads append meanwhile stays
        below = 0
        with self._lock:
            self._cells[_SUM] += sum(batch)
            for bucket, bound in enumerate(BOUNDS):
                up_to = bisect_right(batch, bound, below)
                self._cells[bucket] += up_to - below
                below = up_to
            self._cells[len(BOUNDS)] += count - below
            self._shown[:] = array("d", self._cells)


def _nowhere() -> "memoryview[float]":
    return memoryview(bytearray(8 * CELLS)).cast("d")


class Exposition:
    """The text that Prometheus asks for."""

    def __init__(self, settings: Settings, board: "Board") -> None:
        """Nothing is counted here."""
        self._labels = (settings.name, settings.version)
        self._board = board

    def text(self) -> bytes:
        """Return the metrics of all workers together."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator["Metric"]:
        """Yield what prometheus_client shows; it calls this for each question."""
        from prometheus_client.core import (  # noqa: PLC0415 - see the module's docstring
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        rows = [row.counters for row in self._board.rows]
        cells = [sum(column) for column in zip(*rows, strict=True)]
        cells[_CELL[200]] = sum(cells[_BUCKETS:_SUM])  # all results are in the histogram
        names = ["model", "version"]
        duration = HistogramMetricFamily(
            "model_request_duration_seconds",
            "Time from a complete request to its result, waiting included; results only",
            labels=names,
        )
        duration.add_metric(self._labels, list(_buckets(cells)), cells[_SUM])
        yield duration
        requests = CounterMetricFamily(
            "model_requests", "Answers, by HTTP status", labels=[*names, "status"]
        )
        for status, cell in [*_CELL.items(), ("other", _OTHER)]:
            if cells[cell]:
                requests.add_metric([*self._labels, str(status)], cells[cell])
        yield requests
        errors = CounterMetricFamily(
            "model_errors", "Answers that are no result, by kind", labels=[*names, "kind"]
        )
        for kind, count in _errors(cells).items():
            errors.add_metric([*self._labels, kind], count)
        yield errors
        in_flight = GaugeMetricFamily(
            "model_requests_in_flight", "Calls that wait or run", labels=names
        )
        in_flight.add_metric(self._labels, self._board.in_flight())
        yield in_flight


def _buckets(cells: Sequence[float]) -> Iterable[tuple[str, float]]:
    """Yield (bound, how many took at most that long), as Prometheus counts."""
    total = 0.0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], cells[_BUCKETS:_SUM], strict=True):
        total += count
        yield bound, total


def _errors(cells: Sequence[float]) -> dict[str, float]:
    """Every kind is there from the start: a rate over one that appears later misses its first."""
    found = dict.fromkeys(["function", "harness", *KINDS.values()], 0.0)
    found["function"] = cells[_FUNCTION_ERRORS]
    found["harness"] = max(cells[_CELL[500]] - cells[_FUNCTION_ERRORS], 0.0) + cells[_OTHER]
    for status, kind in KINDS.items():
        found[kind] += cells[_CELL[status]]
    return found
