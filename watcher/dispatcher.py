"""Process each transition in three steps: store the event, publish it with confirm, mark it done.

One worker at a time processes a version, which keeps its events in order; different versions are
processed concurrently. A transition waits in one of three places:

- `_unsaved`, in memory: not stored yet, at most `MAX_UNSAVED`; after a crash, the watch delivers it
  again.
- the outbox, in the cluster: stored events without the broker's confirmation.
- `_waiting_for_broker`: versions with such events while the broker is unavailable.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from watcher import metrics
from watcher.errors import ApiError, BrokerUnavailableError
from watcher.events import Event
from watcher.kube_client import back_off
from watcher.outbox import Outbox, PendingTransition
from watcher.resources import VersionKey
from watcher.workqueue import WorkQueue

logger = logging.getLogger(__name__)
WORKERS = 16
MAX_PENDING_PER_VERSION = 64
"""Events of one version stored in the cluster: an object is limited to 256 KiB. Above this limit,
while the broker is unavailable, only the net change of a version is kept."""
MAX_UNSAVED = 1000
"""Transitions that are not stored yet; above this limit the watches are not read."""
EXPIRY_INTERVAL_SECONDS = 3600.0
"""Time between two searches for records that have expired."""
_MAX_RETRY_SECONDS = 5.0
_FINAL_STATUSES = (400, 413, 422)
"""The API server refuses the object, because it is invalid or too large: a retry cannot help."""

T = TypeVar("T")


class EventPublisher(Protocol):
    """The part of the publisher that the dispatcher needs."""

    async def publish(self, event: Event) -> None:
        """Return after the confirmation. Raises BrokerUnavailableError."""
        ...


class Dispatcher:
    """The queue of one leader session and its workers."""

    def __init__(self, outbox: Outbox, publisher: EventPublisher) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._work = WorkQueue[VersionKey]()
        self._unsaved: dict[VersionKey, deque[PendingTransition]] = {}
        self._unsaved_count = 0
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._waiting_for_broker: set[VersionKey] = set()
        self._attempts = 0
        self._broker_up = True
        self._retry: asyncio.TimerHandle | None = None

    def submit(self, key: VersionKey, transition: PendingTransition) -> None:
        """Queue a transition; those of a version are published in the order of the calls."""
        self._unsaved.setdefault(key, deque()).append(transition)
        self._count_unsaved(1)
        self._work.add(key)

    async def wait_for_capacity(self) -> None:
        """Return as soon as fewer than `MAX_UNSAVED` transitions are queued."""
        await self._has_capacity.wait()

    @property
    def oldest_unsaved(self) -> int | None:
        """The revision from which to replay the unsaved transitions; None if all are stored."""
        return min(
            (queue[0].replay_revision for queue in self._unsaved.values() if queue), default=None
        )

    async def run(self) -> None:
        """Process transitions forever. Raises ForeignWriteError or FatalError."""
        for key in self._outbox.all():
            if self._outbox.pending_count(key):
                self._work.add(key)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(self._run_worker())
                group.create_task(self._queue_expired())
        finally:
            if self._retry is not None:
                self._retry.cancel()

    async def _run_worker(self) -> None:
        while True:
            key = await self._work.get()
            try:
                await self._process(key)
            finally:
                self._work.done(key)

    async def _queue_expired(self) -> None:
        while True:
            for key in self._outbox.expired(time.time()):
                self._work.add(key)
            await asyncio.sleep(EXPIRY_INTERVAL_SECONDS)

    async def _process(self, key: VersionKey) -> None:
        """Do everything possible for a version now. A retry repeats only the failed step."""
        fresh: list[Event] = []
        received_at: dict[str, float] = {}
        while True:
            if self._broker_up and self._outbox.pending_count(key):
                if len(fresh) != self._outbox.pending_count(key):
                    fresh = await _retry_until_stored(lambda: self._outbox.pending_events(key))
                await self._publish_pending(key, fresh, received_at)
                fresh = []
                continue
            queue = self._unsaved.get(key)
            if not queue or not self._has_space(key, queue):
                break
            transition = queue[0]
            event = None
            try:
                event = await _retry_until_stored(
                    lambda: self._outbox.store(key, transition),  # noqa: B023 - awaited here
                    _FINAL_STATUSES,
                )
            except ApiError as error:
                logger.warning("transition of %s dropped: %s", key.object_name, error)
                metrics.REFUSED.inc()
            queue.popleft()
            self._count_unsaved(-1)
            if event is not None:
                fresh = [event] if self._outbox.pending_count(key) == 1 else []
                received_at[event.id] = transition.received_at
        if not self._unsaved.get(key):
            self._unsaved.pop(key, None)
        if self._outbox.pending_count(key):
            self._waiting_for_broker.add(key)
            metrics.PENDING_VERSIONS.set(len(self._waiting_for_broker))
        elif key not in self._unsaved:
            await self._remove_expired(key)

    async def _remove_expired(self, key: VersionKey) -> None:
        record = self._outbox.record(key)
        if record is None or not record.is_expired(time.time()):
            return
        try:
            await self._outbox.remove(key)
        except ApiError as error:
            logger.warning("record of %s not deleted: %s", key.object_name, error)

    async def _publish_pending(
        self, key: VersionKey, pending: list[Event], received_at: dict[str, float]
    ) -> None:
        """Publish and confirm events one by one; stop when the broker becomes unavailable."""
        record = self._outbox.record(key)
        if not pending and record is not None:
            # the Lease was deleted with its events: nothing is left to publish
            await _retry_until_stored(lambda: self._outbox.confirm(key, record.sequence))
        for event in pending:
            try:
                await self._publisher.publish(event)
            except BrokerUnavailableError as error:
                self._on_broker_down(error)
                return
            self._on_broker_up()
            metrics.PUBLISHED.inc()
            if event.id in received_at:
                metrics.DELAY.observe(time.monotonic() - received_at[event.id])
            sequence = event.sequence
            await _retry_until_stored(lambda: self._outbox.confirm(key, sequence))  # noqa: B023 - awaited here

    def _has_space(self, key: VersionKey, queue: deque[PendingTransition]) -> bool:
        if self._outbox.pending_count(key) < MAX_PENDING_PER_VERSION:
            return True
        while len(queue) > 1:
            queue.popleft()
            self._count_unsaved(-1)
            metrics.COLLAPSED.inc()
        return False

    def _count_unsaved(self, change: int) -> None:
        self._unsaved_count += change
        metrics.UNSAVED.set(self._unsaved_count)
        if self._unsaved_count < MAX_UNSAVED:
            self._has_capacity.set()
        else:
            self._has_capacity.clear()

    def _on_broker_down(self, error: BrokerUnavailableError) -> None:
        if self._attempts == 0:
            logger.warning("broker unavailable, events are stored until it is back: %s", error)
        metrics.BROKER_UP.set(0)
        self._broker_up = False
        if self._retry is None:
            seconds = min(_MAX_RETRY_SECONDS, 0.1 * 2 ** min(self._attempts, 10))
            self._attempts += 1
            self._retry = asyncio.get_running_loop().call_later(seconds, self._retry_waiting)

    def _retry_waiting(self) -> None:
        self._retry = None
        self._broker_up = True
        waiting, self._waiting_for_broker = self._waiting_for_broker, set()
        for key in waiting:
            self._work.add(key)

    def _on_broker_up(self) -> None:
        metrics.BROKER_UP.set(1)
        metrics.PENDING_VERSIONS.set(len(self._waiting_for_broker))
        if self._attempts:
            logger.info("broker available: events are confirmed again")
            self._attempts = 0


async def _retry_until_stored(
    step: Callable[[], Awaitable[T]], final_statuses: tuple[int, ...] = ()
) -> T:
    """Repeat a step until the API server accepts it.

    Raises ApiError with one of `final_statuses`, and ForeignWriteError.
    """
    attempt = 0
    while True:
        try:
            return await step()
        except ApiError as error:
            if error.status in final_statuses:
                raise
            if attempt == 0:
                logger.warning("record not stored, retrying: %s", error)
            await back_off(attempt)
            attempt += 1
