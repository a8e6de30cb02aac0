"""The publisher and a broker that is connected and confirms nothing."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.silent_broker import SilentBroker
from tests.support.time_limits import at_most
from tests.support.watcher_cluster import DEPLOYMENTS, Cluster, until
from tests.support.watcher_objects import deployment
from tests.unit.watcher.leader_sessions import RESOURCES, LeaderSession, NullHandler, stored
from watcher import events, metrics
from watcher.errors import BrokerUnavailableError
from watcher.publisher import Publisher
from watcher.resources import VersionKey
from watcher.transitions import State, VersionStatus

EVENT = events.build_event(
    "models", VersionKey("iris", "v1"), VersionStatus("uid-1", State.FAILED), None, 7, "now"
)
LIMIT_SECONDS = 0.3


@pytest.fixture
def silent_broker() -> Iterator[SilentBroker]:
    with SilentBroker() as broker:
        yield broker


@pytest.fixture
def publisher(silent_broker: SilentBroker) -> Iterator[Publisher]:
    publisher = Publisher(silent_broker.broker, threads=1, confirm_seconds=LIMIT_SECONDS)
    yield publisher
    publisher.close()


def test_unconfirmed_publish_ends_its_connection_after_time_limit(
    silent_broker: SilentBroker, publisher: Publisher
) -> None:
    async def scenario() -> None:
        begun = time.monotonic()
        with pytest.raises(BrokerUnavailableError, match="no confirmation within"):
            await publisher.publish(EVENT)
        assert LIMIT_SECONDS <= time.monotonic() - begun < at_most(5)
        await until(lambda: silent_broker.open_connections == 0, at_most(5))

    asyncio.run(scenario())


def test_unconfirmed_event_is_published_again_with_same_id(
    silent_broker: SilentBroker, publisher: Publisher
) -> None:
    async def scenario() -> None:
        silent_broker.confirms = True
        await publisher.publish(EVENT)
        silent_broker.confirms = False
        with pytest.raises(BrokerUnavailableError, match="no confirmation within"):
            await publisher.publish(EVENT)
        # the caller learns of it at once: only a dead idle connection is tried twice
        assert silent_broker.message_ids == ["uid-1-7", "uid-1-7"]
        silent_broker.confirms = True
        await publisher.publish(EVENT)

    asyncio.run(scenario())
    assert silent_broker.message_ids == ["uid-1-7"] * 3
    assert silent_broker.connections == 2


def test_slow_idle_time_does_not_count_as_time_without_confirmation(
    silent_broker: SilentBroker, publisher: Publisher
) -> None:
    async def scenario() -> None:
        silent_broker.confirms = True
        for _ in range(3):
            await publisher.publish(EVENT)
            await asyncio.sleep(LIMIT_SECONDS)

    asyncio.run(scenario())
    assert silent_broker.connections == 1


def test_broker_without_confirmations_is_reported_as_down(
    silent_broker: SilentBroker, publisher: Publisher
) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        session = LeaderSession(cluster, "models", RESOURCES, publisher, NullHandler())
        task = asyncio.create_task(session.run(None))
        metrics.BROKER_UP.set(0)
        try:
            silent_broker.confirms = True
            cluster.put(DEPLOYMENTS, deployment())
            await until(lambda: metrics.BROKER_UP._value.get() == 1)
            silent_broker.confirms = False
            cluster.put(DEPLOYMENTS, deployment(available=True, ready=1))
            await until(lambda: metrics.BROKER_UP._value.get() == 0)
            silent_broker.confirms = True
            await until(lambda: stored(cluster).record.confirmed == 2)
            assert metrics.BROKER_UP._value.get() == 1
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert set(silent_broker.message_ids) == {"uid-1-1", "uid-1-2"}
