"""A leader session: stored and published events, also after a crash at any step."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.support import watcher_objects
from tests.support.watcher_cluster import (
    DEPLOYMENTS,
    LEASES,
    NAMESPACE,
    PODS,
    Broker,
    Cluster,
    Killed,
    until,
)
from watcher import informer, records, resources
from watcher.dispatcher import MAX_PENDING_PER_VERSION
from watcher.inventory import Inventory, Item
from watcher.k8s_types import ResourceKind
from watcher.leader import LeaderSession
from watcher.list_watch import Resource
from watcher.outbox import ForeignWriteError
from watcher.resources import VersionKey
from watcher.transitions import LastReported, diff

RESOURCES: dict[ResourceKind, Resource[Item]] = {
    "deployments": Resource(
        "deployments", DEPLOYMENTS, resources.MODEL_SELECTOR, resources.parse_deployment
    ),
    "pods": Resource("pods", PODS, resources.MODEL_SELECTOR, resources.parse_pod),
}


class NullHandler:
    """A handler that ignores all notifications."""

    def on_version(self, key: VersionKey) -> None:
        return

    def on_stream_event(self, kind: ResourceKind, event: object) -> None:
        return

    async def wait_for_capacity(self) -> None:
        return


@pytest.fixture(autouse=True)
def _short_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "CATCH_UP_QUIET_SECONDS", 0.02)


def new_session(cluster: Cluster, broker: Broker) -> LeaderSession:
    return LeaderSession(cluster, NAMESPACE, RESOURCES, broker, NullHandler())


@contextlib.asynccontextmanager
async def leading(
    cluster: Cluster, broker: Broker, since: int | None = None
) -> AsyncIterator[LeaderSession]:
    """Run a session until the block ends; raise its error if it fails."""
    session = new_session(cluster, broker)
    task = asyncio.create_task(session.run(since))
    try:
        await until(lambda: task.done() or session.resume_revision is not None)
        yield session
        if task.done():
            await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def stored(cluster: Cluster, name: str = "iris-v1") -> records.StoredRecord:
    record = records.parse_record(msgspec.json.encode(cluster.objects[LEASES][name]))
    assert record is not None
    return record


async def all_confirmed(cluster: Cluster, number: int) -> None:
    """Wait until this number of events is stored and confirmed."""

    def is_settled() -> bool:
        stored_records = [stored(cluster, name) for name in cluster.objects.get(LEASES, {})]
        return sum(item.record.sequence for item in stored_records) == number and not any(
            item.record.pending_count for item in stored_records
        )

    await until(is_settled)


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


def test_events_are_stored_and_published_in_order_after_broker_outage() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker) as first:
            await all_confirmed(cluster, 1)
            broker.is_down = True
            for available in (True, False, True):
                cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=available))
            await until(lambda: stored(cluster).record.sequence == 4)
            assert [event.sequence for event in stored(cluster).pending_events] == [2, 3, 4]
            position = first.resume_revision
        broker.is_down = False
        async with leading(cluster, broker, position):
            await all_confirmed(cluster, 4)
        assert [text.split()[1] for text in broker.published()] == ["1", "2", "3", "4"]

    asyncio.run(scenario())


def test_recovered_broker_gets_all_events_in_same_session() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        broker.is_down = True
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        cluster.put(DEPLOYMENTS, watcher_objects.deployment("wine", uid="uid-w"))
        async with leading(cluster, broker):
            await until(lambda: len(cluster.objects.get(LEASES, {})) == 2)
            broker.is_down = False
            await all_confirmed(cluster, 2)
        assert sorted(broker.published()) == ["iris.v1.progressing 1", "wine.v1.progressing 1"]

    asyncio.run(scenario())


def test_flapping_version_is_bounded_during_broker_outage() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        broker.is_down = True
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        async with leading(cluster, broker):
            for number in range(2 * MAX_PENDING_PER_VERSION):
                cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=bool(number % 2)))
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=False))
            await until(lambda: LEASES in cluster.objects)
            await until(lambda: stored(cluster).record.pending_count == MAX_PENDING_PER_VERSION)
            await asyncio.sleep(0.05)
            assert stored(cluster).record.pending_count == MAX_PENDING_PER_VERSION
            broker.is_down = False
            await until(
                lambda: (
                    broker.published()[-1:]
                    == [f"iris.v1.unavailable {MAX_PENDING_PER_VERSION + 1}"]
                    or (
                        len(broker.published()) >= MAX_PENDING_PER_VERSION
                        and stored(cluster).record.pending_count == 0
                    )
                )
            )
            await asyncio.sleep(0.05)
        sequences = [event.sequence for event in broker.unique()]
        assert sequences == list(range(1, len(sequences) + 1))
        assert broker.published()[-1].startswith("iris.v1.unavailable")

    asyncio.run(scenario())


def test_write_with_lost_response_is_not_repeated() -> None:
    async def scenario() -> None:
        from watcher.errors import ApiError  # noqa: PLC0415 - only here

        cluster, broker = Cluster(), Broker()
        lost: list[str] = []

        def lose_answers(moment: str) -> None:
            if moment == "after" and len(lost) < 4:
                lost.append(moment)
                raise ApiError(0, "timed out")

        cluster.on_write = lose_answers
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker):
            await all_confirmed(cluster, 1)
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
            await all_confirmed(cluster, 2)
        assert len(lost) == 4
        assert [event.id for event in broker.messages] == ["uid-1-1", "uid-1-2"]

    asyncio.run(scenario())


def test_second_leader_ends_first_session_without_duplicates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = itertools.count()
    monkeypatch.setattr("watcher.leader._rfc3339", lambda _now: f"moment {next(moments)}")

    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        old = asyncio.create_task(new_session(cluster, broker).run(None))
        await all_confirmed(cluster, 1)
        new = asyncio.create_task(new_session(cluster, broker).run(None))
        await asyncio.sleep(0.05)
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
        await all_confirmed(cluster, 2)
        done, running = await asyncio.wait([old, new], return_when=asyncio.FIRST_COMPLETED)
        [ended] = done
        failure = ended.exception()
        assert isinstance(failure, BaseExceptionGroup)
        assert failure.split(ForeignWriteError)[0] is not None
        for task in running:
            task.cancel()
        assert broker.published() == ["iris.v1.progressing 1", "iris.v1.available 2"]

    asyncio.run(scenario())


def test_manually_deleted_record_is_recreated_with_next_sequence() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker):
            await all_confirmed(cluster, 1)
            cluster.delete(LEASES, "iris-v1")
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True))
            await until(lambda: broker.published()[-1:] == ["iris.v1.available 2"])

    asyncio.run(scenario())


def expected_transitions(cluster: Cluster) -> dict[VersionKey, list[tuple[str, str]]]:
    """Compute the transitions from the full history of the cluster."""
    transitions: dict[VersionKey, list[tuple[str, str]]] = {}
    last: dict[VersionKey, LastReported] = {}
    inventory = Inventory()
    for _, path, kind, item in cluster.history:
        if path not in (DEPLOYMENTS, PODS):
            continue
        parse = resources.parse_pod if path == PODS else resources.parse_deployment
        parsed = parse(msgspec.json.encode(item))
        assert parsed is not None
        key = inventory.apply(parsed, deleted=kind == "DELETED")
        for status in diff(last.get(key), inventory.status(key, 2e9)):
            last[key] = LastReported(status.uid, status.state, status.image)
            transitions.setdefault(key, []).append((status.uid, status.state.value))
    return transitions


def random_change(cluster: Cluster, chance: random.Random) -> None:
    model = chance.choice(["iris", "wine", "echo"])
    name = f"{model}-v1"
    exists = name in cluster.objects.get(DEPLOYMENTS, {})
    draw = chance.random()
    if exists and draw < 0.15:
        cluster.delete(DEPLOYMENTS, name)
    elif draw < 0.7:
        uid = f"uid-{model}-{cluster.revision}"
        if exists:
            uid = str(cluster.objects[DEPLOYMENTS][name]["metadata"]["uid"])  # type: ignore[index]
        available = chance.choice([True, False])
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(model, uid=uid, available=available))
    elif f"{name}-a" in cluster.objects.get(PODS, {}):
        cluster.delete(PODS, f"{name}-a")
    else:
        pod = watcher_objects.crash_looping(model=model, name=f"{name}-a")
        cluster.put(PODS, pod)


@pytest.mark.parametrize("seed", range(6))
def test_random_kills_lose_and_repeat_no_event(seed: int) -> None:
    chance = random.Random(seed)

    async def life(cluster: Cluster, broker: Broker, since: int | None) -> int | None:
        """Run one process until its n-th step; return its last resume revision."""
        steps = chance.randint(1, 25)

        def count(_moment: str = "") -> None:
            nonlocal steps
            steps -= 1
            if steps <= 0:
                raise Killed

        cluster.on_write, broker.on_confirm = count, count
        session = new_session(cluster, broker)
        task = asyncio.create_task(session.run(since))
        position = since
        for _ in range(chance.randint(1, 30)):
            if task.done():
                break
            random_change(cluster, chance)
            broker.is_down = chance.random() < 0.1
            if chance.random() < 0.1:
                cluster.cut()
            # the informer applies each change before the next one
            await asyncio.sleep(0.002)
            if chance.random() < 0.3:  # renewed with the Lease, every other second
                position = session.resume_revision or position
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task
        return position

    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        position: int | None = cluster.revision
        for _ in range(25):
            position = await life(cluster, broker, position)
        cluster.on_write, broker.on_confirm = lambda _moment: None, lambda: None
        broker.is_down = False
        expected = expected_transitions(cluster)
        number = sum(len(transitions) for transitions in expected.values())
        async with leading(cluster, broker, position):
            await all_confirmed(cluster, number)
        for key, transitions in expected.items():
            bodies = [msgspec.json.decode(event.body) for event in broker.unique()]
            mine = [body for body in bodies if body["subject"] == f"{key.model}/{key.version}"]
            assert [body["data"]["sequence"] for body in mine] == list(
                range(1, len(transitions) + 1)
            )
            assert [
                (body["id"].rpartition("-")[0], body["data"]["state"]) for body in mine
            ] == transitions

    asyncio.run(scenario())
