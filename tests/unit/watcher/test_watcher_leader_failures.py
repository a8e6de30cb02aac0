"""A leader session with an unavailable broker, lost responses, a second leader and kills."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Mapping

import msgspec
import pytest

from tests.support import watcher_objects
from tests.support.watcher_cluster import (
    DEPLOYMENTS,
    LEASES,
    PODS,
    Broker,
    Cluster,
    Killed,
    until,
)
from tests.unit.watcher.leader_sessions import all_confirmed, leading, new_session, stored
from watcher import informer, resources
from watcher.dispatcher import MAX_PENDING_PER_VERSION
from watcher.errors import ApiError
from watcher.inventory import Inventory
from watcher.outbox import ForeignWriteError
from watcher.resources import VersionKey
from watcher.transitions import LastReported, diff


@pytest.fixture(autouse=True)
def _short_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "CATCH_UP_QUIET_SECONDS", 0.02)


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


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refused_transition_is_dropped_and_others_go_on(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Cluster.create

    async def refuse_iris(cluster: Cluster, path: str, body: Mapping[str, object]) -> bytes:
        if body["metadata"]["name"] == "iris-v1":  # type: ignore[index] # a Lease
            raise ApiError(status, "the object is invalid")
        return await create(cluster, path, body)

    monkeypatch.setattr(Cluster, "create", refuse_iris)

    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker) as session:
            cluster.put(DEPLOYMENTS, watcher_objects.deployment("wine", uid="uid-w"))
            await until(lambda: len(broker.published()) == 1)
            await until(lambda: session.resume_revision is not None)
        assert broker.published() == ["wine.v1.progressing 1"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("model", "version"),
    [("Iris", "v1"), ("iris", "V1"), ("iris", "v0"), ("i_ris", "v1"), ("-", "1")],
)
def test_object_with_other_labels_is_no_version(model: str, version: str) -> None:
    item = watcher_objects.deployment(model, version=version)
    assert resources.parse_deployment(msgspec.json.encode(item)) is None
