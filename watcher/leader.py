"""A leader session: turn the changes that the informer reports into published events."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from watcher.dispatcher import Dispatcher, EventPublisher
from watcher.informer import Handler, StreamEvent, VersionInformer
from watcher.inventory import Item
from watcher.k8s_types import ResourceKind
from watcher.list_watch import Resource
from watcher.outbox import Outbox, OutboxClient, PendingTransition
from watcher.resources import VersionKey
from watcher.transitions import LastReported, diff


class LeaderSession:
    """Resume where the previous session ended and publish every transition."""

    def __init__(
        self,
        client: OutboxClient,
        namespace: str,
        resources: Mapping[ResourceKind, Resource[Item]],
        publisher: EventPublisher,
        status: Handler,
    ) -> None:
        """`status` receives all notifications of this session too."""
        self._outbox = Outbox(client, namespace)
        self._dispatcher = Dispatcher(self._outbox, publisher)
        self._client = client
        self._resources = resources
        self._status = status
        self._last_reported: dict[VersionKey, LastReported] = {}
        self.informer: VersionInformer | None = None
        self.started = asyncio.Event()

    @property
    def resume_revision(self) -> int | None:
        """The revision from which a next session misses nothing; None if not yet known."""
        if self.informer is None or self.informer.revision is None:
            return None
        oldest = self._dispatcher.oldest_unsaved
        applied = self.informer.revision
        return applied if oldest is None else min(applied, oldest)

    async def run(self, since: int | None) -> None:
        """Lead until cancelled. Raises ApiError, ForeignWriteError or FatalError."""
        await self._outbox.load()
        records = self._outbox.all()
        self._last_reported = {key: record.last_reported for key, record in records.items()}
        recorded = {key: record.processed for key, record in records.items()}
        self.informer = VersionInformer(self._client, self._resources, self, recorded)
        for key, record in records.items():
            if record.was_available:
                self.informer.inventory.mark_available(key, record.uid)
        self.started.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._dispatcher.run())
            group.create_task(self.informer.run(since))

    def on_version(self, key: VersionKey) -> None:
        """Submit the transitions of a version."""
        self._status.on_version(key)
        if self.informer is None:
            return
        inventory = self.informer.inventory
        now = time.time()
        current = inventory.status(key, now)
        for status in diff(self._last_reported.get(key), current):
            self._last_reported[key] = LastReported(status.uid, status.state, status.image)
            self._dispatcher.submit(
                key,
                PendingTransition(
                    status=status,
                    was_available=current is not None
                    and status.uid == current.uid
                    and inventory.was_available(key),
                    processed=self.informer.processed(key),
                    replay_revision=self.informer.replay_revision,
                    time=_rfc3339(now),
                    received_at=time.monotonic(),
                ),
            )

    def on_stream_event(self, kind: ResourceKind, event: StreamEvent) -> None:
        """Forward the event: only the status shows whether its data may be stale."""
        self._status.on_stream_event(kind, event)

    async def wait_for_capacity(self) -> None:
        """Return when the dispatcher accepts more transitions."""
        await self._dispatcher.wait_for_capacity()


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
