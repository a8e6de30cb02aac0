"""A queue of keys, each processed by one worker at a time (after client-go's workqueue)."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """First in, first out. A key added while it is processed is queued again afterwards."""

    def __init__(self) -> None:
        self._queue: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._available = asyncio.Semaphore(0)

    def add(self, key: K) -> None:
        """Mark a key as in need of processing."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._enqueue(key)

    async def get(self) -> K:
        """Wait for a key; no other worker gets it until `done` is called."""
        await self._available.acquire()
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: K) -> None:
        """Mark a key as processed."""
        self._processing.discard(key)
        if key in self._dirty:
            self._enqueue(key)

    def _enqueue(self, key: K) -> None:
        self._queue.append(key)
        self._available.release()
