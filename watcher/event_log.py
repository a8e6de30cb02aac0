"""The newest events in memory, in the cluster's own order, for those who follow by HTTP.

Both replicas read the same events from the same records, so a position holds at either of them: the
resourceVersion at which an event was stored, and its sequence. Who asks for something older than is
kept here gets the last event of each version that has one since: the net change.
"""

import asyncio
import bisect
from typing import NamedTuple

from watcher.events import Event
from watcher.objects import Key
from watcher.records import Stored

KEPT = 1024


class Position(NamedTuple):
    """A place in the stream; as text the `id` of a server-sent event."""

    revision: int
    sequence: int = 0

    def __str__(self) -> str:
        return f"{self.revision}.{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """A place from its text; None if it is no such text."""
        revision, _, sequence = text.partition(".")
        digits = revision.isdecimal() and (sequence or "0").isdecimal()
        return cls(int(revision), int(sequence or 0)) if digits else None


class Entry(NamedTuple):
    """An event at its place."""

    position: Position
    event: Event


class EventLog:
    """Takes records as they are stored, gives events."""

    def __init__(self, kept: int = KEPT) -> None:
        """Empty."""
        self._kept = kept
        self._entries: list[Entry] = []
        self._last: dict[Key, Entry] = {}
        self._floor = Position(0)
        self._changed = asyncio.Event()

    def take(self, stored: Stored, *, first: bool = False) -> None:
        """A record has changed. `first`: of a list, whose events need not be new."""
        known = self._last.get(stored.key)
        for event in stored.events:
            if known is not None and event.sequence <= known.event.sequence:
                continue
            confirmed = event.sequence <= stored.record.confirmed
            revision = (confirmed and stored.record.stored_at) or stored.revision
            entry = Entry(Position(revision, event.sequence), event)
            self._last[stored.key] = entry
            if first:
                self._floor = max(self._floor, entry.position)
            else:
                bisect.insort(self._entries, entry, key=lambda one: one.position)
        while len(self._entries) > self._kept:
            self._floor = max(self._floor, self._entries.pop(0).position)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def forget(self, key: Key) -> None:
        """A record was deleted by a hand."""
        self._last.pop(key, None)

    @property
    def end(self) -> Position:
        """The place after everything."""
        last = self._entries[-1].position if self._entries else Position(0)
        return max(last, self._floor)

    def after(self, position: Position) -> list[Entry]:
        """What has been told since."""
        start = bisect.bisect_right(self._entries, position, key=lambda one: one.position)
        recent = self._entries[start:]
        if position >= self._floor:
            return recent
        there = {entry.event.id for entry in recent}
        older = [
            entry
            for entry in self._last.values()
            if entry.position > position and entry.event.id not in there
        ]
        return sorted([*older, *recent], key=lambda one: one.position)

    def find(self, event_id: str) -> Position | None:
        """The place of an event by its `id`, if it is still known."""
        known = (*reversed(self._entries), *self._last.values())
        return next((one.position for one in known if one.event.id == event_id), None)

    async def wait(self, seconds: float) -> bool:
        """Return True once there is more, False after so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
