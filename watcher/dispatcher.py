"""Takes what is owed through its steps: persist, publish with confirm, clear.

A version is worked on by one worker at a time, so its events keep their order; different versions
go side by side. While the broker is away events are stored and nothing of them is kept in memory.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from watcher import metrics
from watcher.api import pause
from watcher.errors import ApiError, BrokerAwayError
from watcher.events import Event
from watcher.journal import Journal, Owed
from watcher.objects import Key
from watcher.workqueue import WorkQueue

logger = logging.getLogger(__name__)
WORKERS = 16
LONGEST = 64
"""Events of one version that wait in the cluster: an object holds 256 KiB. Beyond, while the broker
is away, only the net change of a version is kept."""
ROOM = 1000
"""Transitions that wait to be stored; beyond, the watches are not read."""
_LONGEST_PAUSE_SECONDS = 5.0

T = TypeVar("T")


class Sends(Protocol):
    """What of the publisher is needed here."""

    async def publish(self, event: Event) -> None:
        """Return once confirmed. Raises BrokerAwayError."""
        ...


class Dispatcher:
    """The queue of one term and its workers."""

    def __init__(self, journal: Journal, publisher: Sends) -> None:
        """Idle until `run`."""
        self._journal = journal
        self._publisher = publisher
        self._work = WorkQueue[Key]()
        self._owed: dict[Key, deque[Owed]] = {}
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self._parked: set[Key] = set()
        self._attempts = 0
        self._broker_up = True
        self._retry: asyncio.TimerHandle | None = None

    def submit(self, key: Key, owed: Owed) -> None:
        """A transition; those of a version are told in the order of these calls."""
        self._owed.setdefault(key, deque()).append(owed)
        self._count(1)
        self._work.add(key)

    async def room(self) -> None:
        """Return once there is room for more."""
        await self._room.wait()

    @property
    def oldest(self) -> int | None:
        """The revision from which on not everything is stored; None: all is."""
        return min(
            (waiting[0].revision for waiting in self._owed.values() if waiting), default=None
        )

    async def run(self) -> None:
        """Work for ever. Raises ForeignWriteError or FatalError."""
        for key in self._journal.all():
            if self._journal.pending(key):
                self._work.add(key)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(self._worker())
        finally:
            if self._retry is not None:
                self._retry.cancel()

    async def _worker(self) -> None:
        while True:
            key = await self._work.take()
            try:
                await self._advance(key)
            finally:
                self._work.done(key)

    async def _advance(self, key: Key) -> None:
        """All that can be done for a version now. Repeats only ever the step that failed."""
        fresh: list[Event] = []
        began: dict[str, float] = {}
        while True:
            if self._broker_up and self._journal.pending(key):
                if len(fresh) != self._journal.pending(key):
                    fresh = await _persist(lambda: self._journal.unconfirmed(key))
                await self._tell(key, fresh, began)
                fresh = []
                continue
            waiting = self._owed.get(key)
            if not waiting or not self._has_space(key, waiting):
                break
            owed = waiting[0]
            event = await _persist(lambda: self._journal.store(key, owed))  # noqa: B023 - awaited here
            waiting.popleft()
            self._count(-1)
            if event is not None:
                fresh = [event] if self._journal.pending(key) == 1 else []
                began[event.id] = owed.began
        if not self._owed.get(key):
            self._owed.pop(key, None)
        if self._journal.pending(key):
            self._parked.add(key)
            metrics.PARKED.set(len(self._parked))

    async def _tell(self, key: Key, pending: list[Event], began: dict[str, float]) -> None:
        """Publish and clear, one by one; on the way out the broker may have gone."""
        record = self._journal.record(key)
        if not pending and record is not None:
            # somebody deleted the Lease with its events: there is nothing left to publish
            await _persist(lambda: self._journal.clear(key, record.sequence))
        for event in pending:
            try:
                await self._publisher.publish(event)
            except BrokerAwayError as error:
                self._went_away(error)
                return
            self._came_back()
            metrics.PUBLISHED.inc()
            if event.id in began:
                metrics.DELAY.observe(time.monotonic() - began[event.id])
            sequence = event.sequence
            await _persist(lambda: self._journal.clear(key, sequence))  # noqa: B023 - awaited here

    def _has_space(self, key: Key, waiting: deque[Owed]) -> bool:
        if self._journal.pending(key) < LONGEST:
            return True
        while len(waiting) > 1:
            waiting.popleft()
            self._count(-1)
            metrics.COLLAPSED.inc()
        return False

    def _count(self, more: int) -> None:
        self._waiting += more
        metrics.WAITING.set(self._waiting)
        if self._waiting < ROOM:
            self._room.set()
        else:
            self._room.clear()

    def _went_away(self, error: BrokerAwayError) -> None:
        if self._attempts == 0:
            logger.warning("the broker is away, events wait in the cluster: %s", error)
        metrics.BROKER_UP.set(0)
        self._broker_up = False
        if self._retry is None:
            seconds = min(_LONGEST_PAUSE_SECONDS, 0.1 * 2 ** min(self._attempts, 10))
            self._attempts += 1
            self._retry = asyncio.get_running_loop().call_later(seconds, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._broker_up = True
        parked, self._parked = self._parked, set()
        for key in parked:
            self._work.add(key)

    def _came_back(self) -> None:
        metrics.BROKER_UP.set(1)
        metrics.PARKED.set(len(self._parked))
        if self._attempts:
            logger.info("the broker confirms again")
            self._attempts = 0


async def _persist(step: Callable[[], Awaitable[T]]) -> T:
    """Repeat a step until the API server has done it. A foreign write is no reason to repeat."""
    attempt = 0
    while True:
        try:
            return await step()
        except ApiError as error:
            if attempt == 0:
                logger.warning("not stored yet: %s", error)
            await pause(attempt)
            attempt += 1
