"""Health as the parent reports it, and request ids."""

import pytest
from model_harness.observability import health as health_module
from model_harness.observability.health import UNRESPONSIVE_SECONDS, Health
from model_harness.observability.request_id import PATTERN, RequestIds
from model_harness.observability.worker_stats import WorkerTable
from model_harness.settings import Settings

SETTINGS = Settings("iris", "v1", "predict:predict", timeout_seconds=10)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(health_module.time, "monotonic", clock.monotonic)
    return clock


def test_unresponsive_server_is_dead_only_after_function_is_loaded(clock: Clock) -> None:
    table = WorkerTable(1)
    health = Health(SETTINGS, table)
    clock.now += 10_000
    assert health.live() is None
    assert health.ready() == "the function is not loaded yet"
    table.slots[0].ready, table.slots[0].heartbeat = True, 2e6
    health.mark_loaded()
    assert health.ready() == "the HTTP server has not answered yet"
    clock.now += SETTINGS.timeout_seconds + UNRESPONSIVE_SECONDS - 1
    assert health.live() is None
    clock.now += 2
    assert health.live() == "the HTTP server has not answered for 71 s"
    health.mark_draining()
    assert health.ready() == "stopping"


def test_worker_without_heartbeat_is_dead(clock: Clock) -> None:
    table = WorkerTable(2)
    health = Health(SETTINGS, table)
    for slot in table.slots:
        slot.ready, slot.heartbeat = True, clock.now
    clock.now += SETTINGS.timeout_seconds + UNRESPONSIVE_SECONDS + 1
    health.mark_loaded()
    table.slots[0].heartbeat = clock.now
    assert health.live() == "worker 1 has sent no heartbeat for 71 s"
    table.slots[1].clear()  # the manager has noticed and starts another one
    assert health.live() is None
    table.slots[0].clear()
    assert health.ready() == "no worker is ready"


def test_request_ids_are_valid_and_unique() -> None:
    generators = [RequestIds() for _ in range(3)]
    ids = [generator.new() for generator in generators for _ in range(5000)]
    assert len(set(ids)) == len(ids)
    assert all(map(PATTERN.fullmatch, ids))


def test_request_id_of_client_is_accepted() -> None:
    assert RequestIds().accept_or_new("ABCDEFGHIJ012345") == "ABCDEFGHIJ012345"


@pytest.mark.parametrize(
    "client_id", [None, "", "short", "a" * 16, "A" * 17, "A" * 15 + "\n", "Ä" * 16]
)
def test_request_id_of_client_is_replaced_where_invalid(client_id: str | None) -> None:
    request_id = RequestIds().accept_or_new(client_id)
    assert request_id != client_id
    assert PATTERN.fullmatch(request_id)
