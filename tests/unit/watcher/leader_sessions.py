"""Leader sessions in a cluster in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from tests.support.watcher_cluster import (
    DEPLOYMENTS,
    LEASES,
    NAMESPACE,
    PODS,
    Broker,
    Cluster,
    until,
)
from watcher import records, resources
from watcher.inventory import Item
from watcher.k8s_types import ResourceKind
from watcher.leader import LeaderSession
from watcher.list_watch import Resource
from watcher.resources import VersionKey

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
