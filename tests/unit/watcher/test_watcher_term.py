"""A term as the leader: what is stored, what is told, and what a crash at any moment leaves."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.support import watcher_objects as shapes
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
from watcher import following, objects, records
from watcher.dispatcher import LONGEST
from watcher.inventory import Inventory, Item
from watcher.journal import ForeignWriteError
from watcher.list_watch import Resource
from watcher.objects import Key
from watcher.raw import Kind
from watcher.term import Term
from watcher.transitions import Known, between

RESOURCES: dict[Kind, Resource[Item]] = {
    "deployments": Resource("deployments", DEPLOYMENTS, objects.MODELS, objects.deployment),
    "pods": Resource("pods", PODS, objects.MODELS, objects.pod),
}


class Nobody:
    """A status that nobody looks at."""

    def observe(self, key: Key) -> None:
        return

    def heard(self, kind: Kind, one: object) -> None:
        return

    async def room(self) -> None:
        return


@pytest.fixture(autouse=True)
def _no_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "QUIET_SECONDS", 0.02)


def term(cluster: Cluster, broker: Broker) -> Term:
    return Term(cluster, NAMESPACE, RESOURCES, broker, Nobody())


@contextlib.asynccontextmanager
async def leading(
    cluster: Cluster, broker: Broker, since: int | None = None
) -> AsyncIterator[Term]:
    """A term that runs until the block ends; it must not fail meanwhile."""
    made = term(cluster, broker)
    task = asyncio.create_task(made.run(since))
    try:
        await until(lambda: task.done() or made.position is not None)
        yield made
        if task.done():
            await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def stored(cluster: Cluster, name: str = "iris-v1") -> records.Stored:
    found = records.parse(msgspec.json.encode(cluster.objects[LEASES][name]))
    assert found is not None
    return found


async def all_told(cluster: Cluster, number: int) -> None:
    """Wait until so many events are stored, and confirmed as well."""

    def settled() -> bool:
        kept = [stored(cluster, name) for name in cluster.objects.get(LEASES, {})]
        return sum(one.record.sequence for one in kept) == number and not any(
            one.record.pending for one in kept
        )

    await until(settled)


def test_a_life_is_told_with_a_sequence_without_a_gap_over_its_return() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker):
            await all_told(cluster, 1)
            cluster.put(DEPLOYMENTS, shapes.deployment(available=True, ready=1))
            cluster.put(DEPLOYMENTS, shapes.deployment(available=False))
            cluster.put(PODS, shapes.crash_looping())
            await all_told(cluster, 4)
            cluster.delete(DEPLOYMENTS, "iris-v1")
            cluster.put(DEPLOYMENTS, shapes.deployment(uid="uid-2"))
            await all_told(cluster, 6)
        assert broker.told() == [
            "iris.v1.progressing 1",
            "iris.v1.available 2",
            "iris.v1.unavailable 3",
            "iris.v1.failed 4",
            "iris.v1.deleted 5",
            "iris.v1.failed 6",
        ]
        assert [one.id for one in broker.unique()][-2:] == ["uid-1-5", "uid-2-6"]
        bodies = [msgspec.json.decode(one.body) for one in broker.unique()]
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
                "message": "container model ended with exit code 3, restarted 2 times; "
                "its last words: no such file: model.pkl",
                "replicas": {"desired": 1, "ready": 0},
                "image": "r/iris@sha256:1",
                "sequence": 4,
            },
        }

    asyncio.run(story())


def test_an_event_is_stored_before_it_is_published_and_cleared_after() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        seen: list[tuple[int, int]] = []

        def look() -> None:
            record = stored(cluster).record
            seen.append((record.sequence, record.confirmed))

        broker.on_confirm = look
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker):
            await all_told(cluster, 1)
            cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
            await all_told(cluster, 2)
        assert seen == [(1, 0), (2, 1)]
        # the last event stays, for those who resume the stream; the one before is gone
        assert [one.sequence for one in stored(cluster).events] == [2]

    asyncio.run(story())


STEPS = ["before store", "after store", "after confirm", "before clear", "after clear"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("since_is_known", [True, False])
def test_a_crash_after_any_step_repeats_at_most_the_same_event(
    step: str, since_is_known: bool
) -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker) as before:
            await all_told(cluster, 1)
            position = before.position
        writes: list[str] = []

        def on_write(moment: str) -> None:
            writes.append(moment)
            number = len(writes)
            wanted = {"before store": 1, "after store": 2, "before clear": 3, "after clear": 4}
            if number == wanted.get(step):
                raise Killed

        def on_confirm() -> None:
            if step == "after confirm":
                raise Killed

        cluster.on_write, broker.on_confirm = on_write, on_confirm
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        with pytest.raises(BaseExceptionGroup) as raised:
            await term(cluster, broker).run(position)
        assert raised.group_contains(Killed)

        cluster.on_write, broker.on_confirm = lambda _moment: None, lambda: None
        async with leading(cluster, broker, position if since_is_known else None):
            await all_told(cluster, 2)
        assert broker.told() == ["iris.v1.progressing 1", "iris.v1.available 2"]
        repeats = len(broker.messages) - 2
        assert repeats == (1 if step in ("after confirm", "before clear") else 0)

    asyncio.run(story())


def test_what_came_and_went_while_nobody_watched_is_told_in_its_order() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        async with leading(cluster, broker) as first:
            await all_told(cluster, 1)
            position = first.position
        cluster.put(DEPLOYMENTS, shapes.deployment(available=False))
        cluster.put(PODS, shapes.crash_looping())
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        cluster.delete(DEPLOYMENTS, "iris-v1")
        cluster.put(DEPLOYMENTS, shapes.deployment("wine", uid="uid-w", available=True))
        cluster.delete(DEPLOYMENTS, "wine-v1")
        async with leading(cluster, broker, position):
            await all_told(cluster, 7)
        assert [one for one in broker.told() if one.startswith("iris")] == [
            "iris.v1.available 1",
            "iris.v1.unavailable 2",
            "iris.v1.failed 3",
            "iris.v1.available 4",
            "iris.v1.deleted 5",
        ]
        assert [one for one in broker.told() if one.startswith("wine")] == [
            "wine.v1.available 1",
            "wine.v1.deleted 2",
        ]

    asyncio.run(story())


@pytest.mark.parametrize("patience", [5.0, 0.04])
@pytest.mark.parametrize("slow", [[DEPLOYMENTS], [PODS], [DEPLOYMENTS, PODS]])
def test_a_slow_look_back_repeats_nothing_under_new_numbers(
    monkeypatch: pytest.MonkeyPatch, patience: float, slow: list[str]
) -> None:
    monkeypatch.setattr(following, "PATIENCE_SECONDS", patience)

    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker) as first:
            await all_told(cluster, 1)
            position = first.position
            for number in range(4):
                cluster.put(DEPLOYMENTS, shapes.deployment(available=not number % 2))
                await all_told(cluster, 2 + number)
            cluster.put(PODS, shapes.crash_looping())
            await all_told(cluster, 6)
        cluster.lag = dict.fromkeys(slow, 0.2)
        async with leading(cluster, broker, position):
            await asyncio.sleep(0.5)
            cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
            await all_told(cluster, 7)
        assert [one.split()[0].rpartition(".")[2] for one in broker.told()] == [
            "progressing",
            "available",
            "unavailable",
            "available",
            "unavailable",
            "failed",
            "available",
        ]

    asyncio.run(story())


@pytest.mark.parametrize("slow", [DEPLOYMENTS, PODS])
def test_what_one_kind_tells_late_keeps_its_place_among_the_other(slow: str) -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment(available=False))
        async with leading(cluster, broker) as first:
            await all_told(cluster, 1)
            position = first.position
        cluster.put(PODS, shapes.crash_looping())
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        cluster.put(DEPLOYMENTS, shapes.deployment(available=False))
        cluster.delete(PODS, "iris-v1-a")
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        cluster.lag = {slow: 0.2}
        async with leading(cluster, broker, position):
            await all_told(cluster, 6)
        assert [one.split()[0].rpartition(".")[2] for one in broker.told()] == [
            "progressing",
            "failed",
            "available",
            "failed",
            "unavailable",
            "available",
        ]

    asyncio.run(story())


def test_after_a_gap_longer_than_history_the_net_change_is_told_deletions_included() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        cluster.put(DEPLOYMENTS, shapes.deployment("wine", uid="uid-w", available=True))
        async with leading(cluster, broker) as first:
            await all_told(cluster, 2)
            position = first.position
        cluster.put(DEPLOYMENTS, shapes.deployment(available=False))
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        cluster.delete(DEPLOYMENTS, "wine-v1")
        cluster.compact()
        async with leading(cluster, broker, position):
            await all_told(cluster, 3)
        assert broker.told()[-1] == "wine.v1.deleted 2"

    asyncio.run(story())


def test_a_new_list_within_a_term_loses_neither_an_end_nor_a_namesake() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        cluster.put(DEPLOYMENTS, shapes.deployment("wine", uid="uid-w", available=True))
        async with leading(cluster, broker):
            await all_told(cluster, 2)
            cluster.down = True
            cluster.cut()
            await asyncio.sleep(0.01)
            cluster.delete(DEPLOYMENTS, "wine-v1")
            cluster.delete(DEPLOYMENTS, "iris-v1")
            cluster.put(DEPLOYMENTS, shapes.deployment(uid="uid-2"))
            cluster.compact()
            cluster.down = False
            await all_told(cluster, 5)
        assert set(broker.told()[2:]) == {
            "wine.v1.deleted 2",
            "iris.v1.deleted 2",
            "iris.v1.progressing 3",
        }

    asyncio.run(story())


def test_while_the_broker_is_away_events_wait_in_the_cluster_and_come_in_order() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker) as first:
            await all_told(cluster, 1)
            broker.away = True
            for available in (True, False, True):
                cluster.put(DEPLOYMENTS, shapes.deployment(available=available))
            await until(lambda: stored(cluster).record.sequence == 4)
            assert [one.sequence for one in stored(cluster).pending] == [2, 3, 4]
            position = first.position
        broker.away = False
        async with leading(cluster, broker, position):
            await all_told(cluster, 4)
        assert [one.split()[1] for one in broker.told()] == ["1", "2", "3", "4"]

    asyncio.run(story())


def test_a_broker_that_comes_back_gets_everything_without_a_new_term() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        broker.away = True
        cluster.put(DEPLOYMENTS, shapes.deployment())
        cluster.put(DEPLOYMENTS, shapes.deployment("wine", uid="uid-w"))
        async with leading(cluster, broker):
            await until(lambda: len(cluster.objects.get(LEASES, {})) == 2)
            broker.away = False
            await all_told(cluster, 2)
        assert sorted(broker.told()) == ["iris.v1.progressing 1", "wine.v1.progressing 1"]

    asyncio.run(story())


def test_a_version_that_flaps_without_a_broker_is_bounded_and_ends_with_the_truth() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        broker.away = True
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        async with leading(cluster, broker):
            for number in range(2 * LONGEST):
                cluster.put(DEPLOYMENTS, shapes.deployment(available=bool(number % 2)))
            cluster.put(DEPLOYMENTS, shapes.deployment(available=False))
            await until(lambda: LEASES in cluster.objects)
            await until(lambda: stored(cluster).record.pending == LONGEST)
            await asyncio.sleep(0.05)
            assert stored(cluster).record.pending == LONGEST
            broker.away = False
            await until(
                lambda: (
                    broker.told()[-1:] == [f"iris.v1.unavailable {LONGEST + 1}"]
                    or (len(broker.told()) >= LONGEST and stored(cluster).record.pending == 0)
                )
            )
            await asyncio.sleep(0.05)
        sequences = [one.sequence for one in broker.unique()]
        assert sequences == list(range(1, len(sequences) + 1))
        assert broker.told()[-1].startswith("iris.v1.unavailable")

    asyncio.run(story())


def test_a_write_whose_answer_was_lost_is_not_made_twice() -> None:
    async def story() -> None:
        from watcher.errors import ApiError  # noqa: PLC0415 - only here

        cluster, broker = Cluster(), Broker()
        lost: list[str] = []

        def lose_answers(moment: str) -> None:
            if moment == "after" and len(lost) < 4:
                lost.append(moment)
                raise ApiError(0, "timed out")

        cluster.on_write = lose_answers
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker):
            await all_told(cluster, 1)
            cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
            await all_told(cluster, 2)
        assert len(lost) == 4
        assert [one.id for one in broker.messages] == ["uid-1-1", "uid-1-2"]

    asyncio.run(story())


def test_two_that_believe_to_lead_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = itertools.count()
    monkeypatch.setattr("watcher.term._rfc3339", lambda _now: f"moment {next(moments)}")

    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment())
        old = asyncio.create_task(term(cluster, broker).run(None))
        await all_told(cluster, 1)
        new = asyncio.create_task(term(cluster, broker).run(None))
        await asyncio.sleep(0.05)
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
        await all_told(cluster, 2)
        done, running = await asyncio.wait([old, new], return_when=asyncio.FIRST_COMPLETED)
        [ended] = done
        failure = ended.exception()
        assert isinstance(failure, BaseExceptionGroup)
        assert failure.split(ForeignWriteError)[0] is not None
        for task in running:
            task.cancel()
        assert broker.told() == ["iris.v1.progressing 1", "iris.v1.available 2"]

    asyncio.run(story())


def test_a_record_deleted_by_a_hand_is_made_anew_and_its_sequence_goes_on() -> None:
    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, shapes.deployment())
        async with leading(cluster, broker):
            await all_told(cluster, 1)
            cluster.delete(LEASES, "iris-v1")
            cluster.put(DEPLOYMENTS, shapes.deployment(available=True))
            await until(lambda: broker.told()[-1:] == ["iris.v1.available 2"])

    asyncio.run(story())


def expected(cluster: Cluster) -> dict[Key, list[tuple[str, str]]]:
    """What a recorder that is never killed says is owed."""
    told: dict[Key, list[tuple[str, str]]] = {}
    known: dict[Key, Known] = {}
    inventory = Inventory()
    for _, path, kind, item in cluster.history:
        if path not in (DEPLOYMENTS, PODS):
            continue
        parse = objects.pod if path == PODS else objects.deployment
        parsed = parse(msgspec.json.encode(item))
        assert parsed is not None
        key = inventory.apply(parsed, gone=kind == "DELETED")
        for owed in between(known.get(key), inventory.standing(key, 2e9)):
            known[key] = Known(owed.uid, owed.state, owed.image)
            told.setdefault(key, []).append((owed.uid, owed.state.value))
    return told


def random_change(cluster: Cluster, chance: random.Random) -> None:
    model = chance.choice(["iris", "wine", "echo"])
    name = f"{model}-v1"
    standing = name in cluster.objects.get(DEPLOYMENTS, {})
    what = chance.random()
    if standing and what < 0.15:
        cluster.delete(DEPLOYMENTS, name)
    elif what < 0.7:
        uid = f"uid-{model}-{cluster.revision}"
        if standing:
            uid = str(cluster.objects[DEPLOYMENTS][name]["metadata"]["uid"])  # type: ignore[index]
        available = chance.choice([True, False])
        cluster.put(DEPLOYMENTS, shapes.deployment(model, uid=uid, available=available))
    elif f"{name}-a" in cluster.objects.get(PODS, {}):
        cluster.delete(PODS, f"{name}-a")
    else:
        pod = shapes.crash_looping(model=model, name=f"{name}-a")
        cluster.put(PODS, pod)


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_moments_nothing_is_lost_and_nothing_told_twice(seed: int) -> None:
    chance = random.Random(seed)

    async def life(cluster: Cluster, broker: Broker, since: int | None) -> int | None:
        """One process, killed at its n-th step; returns what it last said of its position."""
        steps = chance.randint(1, 25)

        def count(_moment: str = "") -> None:
            nonlocal steps
            steps -= 1
            if steps <= 0:
                raise Killed

        cluster.on_write, broker.on_confirm = count, count
        made = term(cluster, broker)
        task = asyncio.create_task(made.run(since))
        position = since
        for _ in range(chance.randint(1, 30)):
            if task.done():
                break
            random_change(cluster, chance)
            broker.away = chance.random() < 0.1
            if chance.random() < 0.1:
                cluster.cut()
            # each change is taken in before the next, as a recorder takes them
            await asyncio.sleep(0.002)
            if chance.random() < 0.3:  # renewed with the Lease, every other second
                position = made.position or position
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task
        return position

    async def story() -> None:
        cluster, broker = Cluster(), Broker()
        position: int | None = cluster.revision
        for _ in range(25):
            position = await life(cluster, broker, position)
        cluster.on_write, broker.on_confirm = lambda _moment: None, lambda: None
        broker.away = False
        owed = expected(cluster)
        number = sum(len(told) for told in owed.values())
        async with leading(cluster, broker, position):
            await all_told(cluster, number)
        for key, wanted in owed.items():
            bodies = [msgspec.json.decode(one.body) for one in broker.unique()]
            mine = [body for body in bodies if body["subject"] == f"{key.model}/{key.version}"]
            assert [body["data"]["sequence"] for body in mine] == list(range(1, len(wanted) + 1))
            assert [
                (body["id"].rpartition("-")[0], body["data"]["state"]) for body in mine
            ] == wanted

    asyncio.run(story())
