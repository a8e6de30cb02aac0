"""Counters, the shared worker table, and the exposition for Prometheus."""

import os
import threading

import pytest
from model_harness.errors import RequestError
from model_harness.http.response import Responder, ResponseContext
from model_harness.observability.internal_requests import INTERNAL_REQUEST_ID
from model_harness.observability.metrics import ERROR_KINDS, Exposition, RequestCounters
from model_harness.observability.worker_stats import (
    COUNTER_CELLS,
    DURATION_BOUNDS,
    STATUSES,
    InFlightLimit,
    WorkerTable,
)
from model_harness.protocols import mlflow
from model_harness.protocols.domino import Domino
from model_harness.settings import Settings
from prometheus_client.parser import text_string_to_metric_families

SETTINGS = Settings("iris", "v1", "predict:predict")
LABELS = {"model": "iris", "version": "v1"}


def samples(table: WorkerTable) -> dict[tuple[str, str], float]:
    """Return values by (name, label that varies)."""
    values = {}
    text = Exposition(SETTINGS, table).text().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            extra = {k: v for k, v in sample.labels.items() if k not in LABELS}
            assert sample.labels.items() >= LABELS.items()
            values[sample.name, "".join(extra.values())] = sample.value
    return values


def test_histogram_sums_all_workers() -> None:
    table = WorkerTable(2)
    for slot, seconds in zip(table.slots, (0.0004, 0.3), strict=True):
        counters = RequestCounters(slot.counters)
        counters.count_result(seconds)
        counters.count_result(1000)
        counters.publish()
    values = samples(table)
    name = "model_request_duration_seconds"
    assert values[f"{name}_bucket", "0.0005"] == 1
    assert values[f"{name}_bucket", "0.25"] == 1
    assert values[f"{name}_bucket", "0.5"] == 2
    assert values[f"{name}_bucket", str(DURATION_BOUNDS[-1])] == 2
    assert values[f"{name}_bucket", "+Inf"] == values[f"{name}_count", ""] == 4
    assert values[f"{name}_sum", ""] == pytest.approx(2000.3004)
    assert values["model_requests_total", "200"] == 4


def test_duration_equal_to_bound_is_in_its_bucket() -> None:
    table = WorkerTable(1)
    counters = RequestCounters(table.slots[0].counters)
    counters.count_result(0.005)
    counters.publish()
    assert samples(table)["model_request_duration_seconds_bucket", "0.005"] == 1
    assert samples(table)["model_request_duration_seconds_bucket", "0.0025"] == 0


def test_errors_are_counted_by_status_and_kind() -> None:
    table = WorkerTable(1)
    counters = RequestCounters(table.slots[0].counters)
    for status in (400, 404, 413, 401, 429, 429, 503, 504, 500, 500, 418):
        counters.count_error(status)
    counters.count_function_error()
    counters.publish()
    values = samples(table)
    kinds = {kind: n for (name, kind), n in values.items() if name == "model_errors_total"}
    assert kinds == {
        "request": 3,
        "token": 1,
        "busy": 2,
        "not_ready": 1,
        "timeout": 1,
        "function": 1,
        "harness": 2,
    }
    assert (values["model_requests_total", "429"], values["model_requests_total", "other"]) == (
        2,
        1,
    )


def test_counters_are_visible_after_publish_and_survive_worker() -> None:
    table = WorkerTable(1)
    counters = RequestCounters(table.slots[0].counters)
    counters.count_error(404)
    assert samples(table)["model_errors_total", "request"] == 0
    counters.publish()
    table.slots[0].clear()
    replacement = RequestCounters(table.slots[0].counters)
    replacement.count_error(404)
    replacement.publish()
    assert samples(table)["model_errors_total", "request"] == 2


def test_concurrent_threads_lose_no_count() -> None:
    table = WorkerTable(1)
    counters = RequestCounters(table.slots[0].counters)

    def count() -> None:
        for _ in range(20_000):
            counters.count_result(0.1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters.publish()
    assert samples(table)["model_request_duration_seconds_count", ""] == 80_000


class Transport:
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Discard the response."""


@pytest.mark.parametrize(("request_id", "counted"), [("A" * 16, 1), (INTERNAL_REQUEST_ID, 0)])
def test_internal_requests_are_not_counted(request_id: str, counted: int) -> None:
    table = WorkerTable(1)
    context = ResponseContext("v1", RequestCounters(table.slots[0].counters))
    responder = Responder(Transport(), request_id, context, Domino(SETTINGS))
    responder.send_error(RequestError(404, "no"))
    context.counters.publish()
    assert samples(table)["model_errors_total", "request"] == counted


def test_worker_table_is_shared_by_processes_with_separate_slots() -> None:
    table = WorkerTable(3)
    child = os.fork()
    if child == 0:
        slot = table.slots[1]
        slot.ready, slot.heartbeat, slot.in_flight = True, 5.5, 7
        slot.counters[COUNTER_CELLS - 1] = 9
        os._exit(0)
    os.waitpid(child, 0)
    slot = table.slots[1]
    assert (slot.ready, slot.heartbeat, slot.in_flight, slot.counters[COUNTER_CELLS - 1]) == (
        True,
        5.5,
        7,
        9,
    )
    for unused in (table.slots[0], table.slots[2]):
        assert not any(unused.cells)
    assert table.in_flight() == 7
    slot.clear()
    assert (slot.ready, slot.in_flight, slot.counters[COUNTER_CELLS - 1]) == (False, 0, 9)


def test_limit_applies_to_all_workers_together() -> None:
    table = WorkerTable(2)
    first, second = (InFlightLimit(table, slot) for slot in table.slots)
    assert first.acquire(2, limit=3)
    assert second.acquire(1, limit=3)
    assert not second.acquire(2, limit=3)
    second.release(1)
    assert (first.in_flight_elsewhere(), second.in_flight_elsewhere()) == (1, 2)
    first.release(1)
    assert second.acquire(2, limit=3)


def test_every_counted_status_has_kind_and_mlflow_code() -> None:
    errors = set(STATUSES) - {200}
    assert ERROR_KINDS.keys() == errors - {500}
    assert mlflow.ERROR_CODES.keys() == errors
