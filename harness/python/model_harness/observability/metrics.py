"""Prometheus metrics: the workers count, the parent exposes them on the health port.

Counters of prometheus_client cost ten times as much per request and, for several processes, files.
So only its exposition format is used, and imported on the first scrape to keep the start short.
A worker counts in plain lists and publishes them a few times per second (runtime/watchdog.py).
"""

import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from model_harness.observability.worker_stats import (
    COUNTER_CELLS,
    DURATION_BOUNDS,
    DURATION_SUM,
    FUNCTION_ERRORS,
    OTHER_STATUS,
    STATUS_CELLS,
    WorkerTable,
)
from model_harness.settings import Settings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ERROR_KINDS = {  # of each status in STATUSES except 200; 500 is "function" or "harness"
    400: "request",
    401: "token",
    404: "request",
    405: "request",
    413: "request",
    415: "request",
    429: "busy",
    503: "not_ready",
    504: "timeout",
}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RequestCounters:
    """The counters of one process. Its threads may count concurrently."""

    def __init__(self, published: "memoryview[float] | None" = None) -> None:
        """Count on from `published`, the cells that the parent reads; None: nothing reads them."""
        self._published = _unread_cells() if published is None else published
        self._cells: list[float] = list(self._published)  # a replaced worker counts on
        self._durations: list[float] = []
        self._lock = threading.Lock()

    def count_result(self, seconds: float) -> None:
        """Count a result, `seconds` after its request was complete.

        `publish` sorts all durations into buckets at once: cheaper than one look-up per request.
        """
        self._durations.append(seconds)

    def count_error(self, status: int) -> None:
        """Count an answer with another status than 200."""
        cell = STATUS_CELLS.get(status, OTHER_STATUS)
        with self._lock:
            self._cells[cell] += 1.0

    def count_function_error(self) -> None:
        """Attribute a 500, which `count_error` counts as well, to the function."""
        with self._lock:
            self._cells[FUNCTION_ERRORS] += 1.0

    def publish(self) -> None:
        """Copy the counters to where the parent reads them."""
        count = len(self._durations)
        batch = sorted(self._durations[:count])
        del self._durations[:count]  # other threads may have appended more
        below = 0
        with self._lock:
            self._cells[DURATION_SUM] += sum(batch)
            for bucket, bound in enumerate(DURATION_BOUNDS):
                up_to = bisect_right(batch, bound, below)
                self._cells[bucket] += up_to - below
                below = up_to
            self._cells[len(DURATION_BOUNDS)] += count - below
            self._published[:] = array("d", self._cells)


def _unread_cells() -> "memoryview[float]":
    return memoryview(bytearray(8 * COUNTER_CELLS)).cast("d")


class Exposition:
    """The metrics of all workers in Prometheus' text format."""

    def __init__(self, settings: Settings, table: WorkerTable) -> None:
        self._labels = (settings.name, settings.version)
        self._table = table

    def text(self) -> bytes:
        """Return the metrics of all workers together."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator["Metric"]:
        """Yield the metric families; prometheus_client calls this for each scrape."""
        from prometheus_client.core import (  # noqa: PLC0415 - see the docstring of the module
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        workers = [slot.counters for slot in self._table.slots]
        cells = [sum(column) for column in zip(*workers, strict=True)]
        cells[STATUS_CELLS[200]] = sum(cells[:DURATION_SUM])  # the histogram has every result
        names = ["model", "version"]
        duration = HistogramMetricFamily(
            "model_request_duration_seconds",
            "Time from the complete request to its result, including queueing; errors excluded",
            labels=names,
        )
        duration.add_metric(self._labels, list(_buckets(cells)), cells[DURATION_SUM])
        yield duration
        requests = CounterMetricFamily(
            "model_requests", "Responses by HTTP status", labels=[*names, "status"]
        )
        for status, cell in [*STATUS_CELLS.items(), ("other", OTHER_STATUS)]:
            if cells[cell]:
                requests.add_metric([*self._labels, str(status)], cells[cell])
        yield requests
        errors = CounterMetricFamily(
            "model_errors", "Error responses by kind", labels=[*names, "kind"]
        )
        for kind, count in _errors(cells).items():
            errors.add_metric([*self._labels, kind], count)
        yield errors
        in_flight = GaugeMetricFamily(
            "model_requests_in_flight", "Calls that are queued or running", labels=names
        )
        in_flight.add_metric(self._labels, self._table.in_flight())
        yield in_flight


def _buckets(cells: Sequence[float]) -> Iterable[tuple[str, float]]:
    """Yield (upper bound, cumulative count)."""
    total = 0.0
    for bound, count in zip(
        [*map(str, DURATION_BOUNDS), "+Inf"], cells[:DURATION_SUM], strict=True
    ):
        total += count
        yield bound, total


def _errors(cells: Sequence[float]) -> dict[str, float]:
    """Return a count for every kind: a rate over a series that starts late misses its first."""
    counts = dict.fromkeys(["function", "harness", *ERROR_KINDS.values()], 0.0)
    counts["function"] = cells[FUNCTION_ERRORS]
    harness_errors = max(cells[STATUS_CELLS[500]] - cells[FUNCTION_ERRORS], 0.0)
    counts["harness"] = harness_errors + cells[OTHER_STATUS]
    for status, kind in ERROR_KINDS.items():
        counts[kind] += cells[STATUS_CELLS[status]]
    return counts
