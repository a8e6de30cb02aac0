"""A leader session: stored and published events, also after a crash at any step."""

import asyncio

import msgspec
import pytest

from tests.support import watcher_objects
from tests.support.watcher_cluster import (
    DEPLOYMENTS,
    PODS,
    Broker,
    Cluster,
    Killed,
)
from tests.unit.watcher.leader_sessions import all_confirmed, leading, new_session, stored
from watcher import informer


@pytest.fixture(autouse=True)
def _short_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "CATCH_UP_QUIET_SECONDS", 0.02)


def test_sequence_has_no_gap_across_deletion_and_recreation() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker):
            await all_confirmed(cluster, 1)
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True, ready=1))
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=False))
            cluster.put(PODS, watcher_objects.crash_looping())
            await all_confirmed(cluster, 4)
            cluster.delete(DEPLOYMENTS, "iris-v1")
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(uid="uid-2"))
            await all_confirmed(cluster, 6)
        assert broker.published() == [
            "iris.v1.progressing 1",
            "iris.v1.available 2",
            "iris.v1.unavailable 3",
            "iris.v1.failed 4",
            "iris.v1.deleted 5",
            "iris.v1.failed 6",
        ]
        assert [event.id for event in broker.unique()][-2:] == ["uid-1-5", "uid-2-6"]
        bodies = [msgspec.json.decode(event.body) for event in broker.unique()]
        assert [body["data"]["previous"] for body in bodies] == [
            None,
            "Progressing",
            "Available",
            "Unavailable",
            "Failed",
            "Deleted",
        ]
        assert bodies[3] == {
            "specversion": "1.0",
            "id": "uid-1-4",
            "source": "/model-deployment/models",
            "type": "io.model-deployment.version.failed",
            "subject": "iris/v1",
            "time": bodies[3]["time"],
            "datacontenttype": "application/json",
            "data": {
                "model": "iris",
                "version": "v1",
                "state": "Failed",
                "previous": "Unavailable",
                "reason": "CrashLoopBackOff",
                "message": "container model exited with code 3 (Error), restarted 2 times; "
                "termination message: no such file: model.pkl",
                "replicas": {"desired": 1, "ready": 0},
                "image": "r/iris@sha256:1",
                "sequence": 4,
            },
        }

    asyncio.run(scenario())


def test_event_is_stored_before_publishing_and_removed_after_next() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        counts: list[tuple[int, int]] = []

        def record_counts() -> None:
            record = stored(cluster).record
            counts.append((record.sequence, record.confirmed))

        broker.on_confirm = record_counts
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker):
            await all_confirmed(cluster, 1)
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
            await all_confirmed(cluster, 2)
        assert counts == [(1, 0), (2, 1)]
        # the last event is kept for clients that resume the stream, the one before is removed
        assert [event.sequence for event in stored(cluster).events] == [2]

    asyncio.run(scenario())


STEPS = ["before store", "after store", "after confirm", "before clear", "after clear"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("since_is_known", [True, False])
def test_crash_at_any_step_repeats_at_most_the_same_event(step: str, since_is_known: bool) -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker) as before:
            await all_confirmed(cluster, 1)
            position = before.resume_revision
        writes: list[str] = []

        def on_write(moment: str) -> None:
            writes.append(moment)
            number = len(writes)
            crash_at = {"before store": 1, "after store": 2, "before clear": 3, "after clear": 4}
            if number == crash_at.get(step):
                raise Killed

        def on_confirm() -> None:
            if step == "after confirm":
                raise Killed

        cluster.on_write, broker.on_confirm = on_write, on_confirm
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        with pytest.raises(BaseExceptionGroup) as raised:
            await new_session(cluster, broker).run(position)
        assert raised.group_contains(Killed)

        cluster.on_write, broker.on_confirm = lambda _moment: None, lambda: None
        async with leading(cluster, broker, position if since_is_known else None):
            await all_confirmed(cluster, 2)
        assert broker.published() == ["iris.v1.progressing 1", "iris.v1.available 2"]
        repeats = len(broker.messages) - 2
        assert repeats == (1 if step in ("after confirm", "before clear") else 0)

    asyncio.run(scenario())


def test_changes_between_sessions_are_published_in_order() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        async with leading(cluster, broker) as first:
            await all_confirmed(cluster, 1)
            position = first.resume_revision
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=False))
        cluster.put(PODS, watcher_objects.crash_looping())
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        cluster.delete(DEPLOYMENTS, "iris-v1")
        cluster.put(DEPLOYMENTS, watcher_objects.deployment("wine", uid="uid-w", available=True))
        cluster.delete(DEPLOYMENTS, "wine-v1")
        async with leading(cluster, broker, position):
            await all_confirmed(cluster, 7)
        assert [text for text in broker.published() if text.startswith("iris")] == [
            "iris.v1.available 1",
            "iris.v1.unavailable 2",
            "iris.v1.failed 3",
            "iris.v1.available 4",
            "iris.v1.deleted 5",
        ]
        assert [text for text in broker.published() if text.startswith("wine")] == [
            "wine.v1.available 1",
            "wine.v1.deleted 2",
        ]

    asyncio.run(scenario())


@pytest.mark.parametrize("patience", [5.0, 0.04])
@pytest.mark.parametrize("slow", [[DEPLOYMENTS], [PODS], [DEPLOYMENTS, PODS]])
def test_slow_catch_up_repeats_nothing_under_new_sequence(
    monkeypatch: pytest.MonkeyPatch, patience: float, slow: list[str]
) -> None:
    monkeypatch.setattr(informer, "CATCH_UP_TIMEOUT_SECONDS", patience)

    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker) as first:
            await all_confirmed(cluster, 1)
            position = first.resume_revision
            for number in range(4):
                cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=not number % 2))
                await all_confirmed(cluster, 2 + number)
            cluster.put(PODS, watcher_objects.crash_looping())
            await all_confirmed(cluster, 6)
        cluster.lag = dict.fromkeys(slow, 0.2)
        async with leading(cluster, broker, position):
            await asyncio.sleep(0.5)
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
            await all_confirmed(cluster, 7)
        assert [text.split()[0].rpartition(".")[2] for text in broker.published()] == [
            "progressing",
            "available",
            "unavailable",
            "available",
            "unavailable",
            "failed",
            "available",
        ]

    asyncio.run(scenario())


@pytest.mark.parametrize("slow", [DEPLOYMENTS, PODS])
def test_late_resource_keeps_order_of_revisions(slow: str) -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=False))
        async with leading(cluster, broker) as first:
            await all_confirmed(cluster, 1)
            position = first.resume_revision
        cluster.put(PODS, watcher_objects.crash_looping())
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=False))
        cluster.delete(PODS, "iris-v1-a")
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        cluster.lag = {slow: 0.2}
        async with leading(cluster, broker, position):
            await all_confirmed(cluster, 6)
        assert [text.split()[0].rpartition(".")[2] for text in broker.published()] == [
            "progressing",
            "failed",
            "available",
            "failed",
            "unavailable",
            "available",
        ]

    asyncio.run(scenario())


def test_net_change_with_deletions_is_published_after_expired_history() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        cluster.put(DEPLOYMENTS, watcher_objects.deployment("wine", uid="uid-w", available=True))
        async with leading(cluster, broker) as first:
            await all_confirmed(cluster, 2)
            position = first.resume_revision
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=False))
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        cluster.delete(DEPLOYMENTS, "wine-v1")
        cluster.compact()
        async with leading(cluster, broker, position):
            await all_confirmed(cluster, 3)
        assert broker.published()[-1] == "wine.v1.deleted 2"

    asyncio.run(scenario())


def test_new_list_within_session_reports_deletion_and_recreation() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        cluster.put(DEPLOYMENTS, watcher_objects.deployment("wine", uid="uid-w", available=True))
        async with leading(cluster, broker):
            await all_confirmed(cluster, 2)
            cluster.down = True
            cluster.cut()
            await asyncio.sleep(0.01)
            cluster.delete(DEPLOYMENTS, "wine-v1")
            cluster.delete(DEPLOYMENTS, "iris-v1")
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(uid="uid-2"))
            cluster.compact()
            cluster.down = False
            await all_confirmed(cluster, 5)
        assert set(broker.published()[2:]) == {
            "wine.v1.deleted 2",
            "iris.v1.deleted 2",
            "iris.v1.progressing 3",
        }

    asyncio.run(scenario())
