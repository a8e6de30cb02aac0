"""The leader deletes the record of a version 30 days after the version's deletion."""

import asyncio
import time

import pytest

from tests.support import watcher_objects
from tests.support.watcher_cluster import DEPLOYMENTS, LEASES, NAMESPACE, Broker, Cluster, until
from tests.support.watcher_http import Server
from tests.unit.watcher.leader_sessions import all_confirmed, leading, stored
from watcher import dispatcher, informer
from watcher.errors import ConflictError
from watcher.kube_client import KubeClient
from watcher.outbox import ForeignWriteError, Outbox
from watcher.records import KEPT_SECONDS
from watcher.resources import VersionKey
from watcher.settings import ApiServer

KEY = VersionKey("iris", "v1")
DAY_SECONDS = 24 * 3600.0


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "CATCH_UP_QUIET_SECONDS", 0.02)
    monkeypatch.setattr(dispatcher, "EXPIRY_INTERVAL_SECONDS", 0.02)


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the dispatcher's clock be ahead of the records' times."""
    now = time.time
    monkeypatch.setattr(dispatcher.time, "time", lambda: now() + seconds)


async def delete_version(cluster: Cluster, broker: Broker) -> None:
    """Create and delete a version; return when both events are confirmed."""
    cluster.put(DEPLOYMENTS, watcher_objects.deployment())
    async with leading(cluster, broker):
        await all_confirmed(cluster, 1)
        cluster.delete(DEPLOYMENTS, "iris-v1")
        await all_confirmed(cluster, 2)


def test_record_is_deleted_a_month_after_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment("wine", uid="uid-w"))
        await delete_version_beside_another(cluster, broker)
        pass_time(monkeypatch, KEPT_SECONDS - DAY_SECONDS)
        async with leading(cluster, broker):
            await asyncio.sleep(0.2)
            assert set(cluster.objects[LEASES]) == {"iris-v1", "wine-v1"}
            pass_time(monkeypatch, 2 * DAY_SECONDS)  # a day more, in all
            await until(lambda: set(cluster.objects[LEASES]) == {"wine-v1"})
            # created again, its sequence starts at 1
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(uid="uid-2"))
            await until(lambda: broker.published()[-1] == "iris.v1.progressing 1")
        assert [event.id for event in broker.unique()][-1] == "uid-2-1"

    asyncio.run(scenario())


async def delete_version_beside_another(cluster: Cluster, broker: Broker) -> None:
    cluster.put(DEPLOYMENTS, watcher_objects.deployment())
    async with leading(cluster, broker):
        await all_confirmed(cluster, 2)
        cluster.delete(DEPLOYMENTS, "iris-v1")
        await all_confirmed(cluster, 3)


def test_unconfirmed_deletion_keeps_record(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment())
        async with leading(cluster, broker):
            await all_confirmed(cluster, 1)
            broker.is_down = True
            cluster.delete(DEPLOYMENTS, "iris-v1")
            await until(lambda: stored(cluster).record.sequence == 2)
            pass_time(monkeypatch, 2 * KEPT_SECONDS)
            await asyncio.sleep(0.2)
            assert stored(cluster).record.pending_count == 1
            broker.is_down = False
            await until(lambda: not cluster.objects[LEASES])
        assert broker.published()[-1] == "iris.v1.deleted 2"

    asyncio.run(scenario())


def test_record_that_another_writer_changed_is_kept() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        await delete_version(cluster, broker)
        outbox = Outbox(cluster, NAMESPACE)
        await outbox.load()
        assert outbox.expired(time.time() + KEPT_SECONDS + 1) == [KEY]
        cluster.put(LEASES, cluster.objects[LEASES]["iris-v1"])  # a new resourceVersion
        with pytest.raises(ForeignWriteError):
            await outbox.remove(KEY)
        await outbox.load()
        await outbox.remove(KEY)
        assert outbox.all() == {}
        assert not cluster.objects[LEASES]

    asyncio.run(scenario())


def test_record_that_is_already_gone_is_forgotten() -> None:
    async def scenario() -> None:
        cluster, broker = Cluster(), Broker()
        await delete_version(cluster, broker)
        outbox = Outbox(cluster, NAMESPACE)
        await outbox.load()
        cluster.delete(LEASES, "iris-v1")
        await outbox.remove(KEY)
        assert outbox.all() == {}

    asyncio.run(scenario())


def test_client_deletes_only_the_revision_it_read() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        await delete_version(cluster, Broker())
        async with Server(cluster) as server, KubeClient(ApiServer(server.url, None, None)) as kube:
            revision = stored(cluster).revision
            with pytest.raises(ConflictError):
                await kube.remove(f"{LEASES}/iris-v1", revision - 1)
            await kube.remove(f"{LEASES}/iris-v1", revision)
        assert not cluster.objects[LEASES]

    asyncio.run(scenario())
