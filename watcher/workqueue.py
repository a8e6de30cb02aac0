"""Keys that need work: each is held by one worker at a time (after client-go's workqueue)."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """First come, first served. A key that is added while it is worked on comes once more."""

    def __init__(self) -> None:
        """Empty."""
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._held: set[K] = set()
        self._ready = asyncio.Semaphore(0)

    def add(self, key: K) -> None:
        """There is work for this key."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._held:
            self._queue(key)

    async def take(self) -> K:
        """Wait for a key; it is this worker's until `done`."""
        await self._ready.acquire()
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._held.add(key)
        return key

    def done(self, key: K) -> None:
        """Let go of a key."""
        self._held.discard(key)
        if key in self._dirty:
            self._queue(key)

    def _queue(self, key: K) -> None:
        self._waiting.append(key)
        self._ready.release()
