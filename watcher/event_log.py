"""The newest events in memory, in the order of the cluster, for clients of the event stream.

Both replicas read the same events from the same records, so a position is valid at both: the
resourceVersion at which an event was stored, and its sequence number. A client that resumes before
the oldest event in the log gets the last event of each version that changed since: the net change.
"""

import asyncio
import bisect
import re
from typing import NamedTuple

from watcher.events import Event
from watcher.records import StoredRecord
from watcher.resources import VersionKey

MAX_EVENTS = 1024
_POSITION = re.compile(r"([0-9]{1,20})(?:[.]([0-9]{1,20}))?")


class Position(NamedTuple):
    """A position in the stream; as text the `id` of a server-sent event."""

    revision: int
    sequence: int = 0

    def __str__(self) -> str:
        return f"{self.revision}.{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """Parse a position; return None for any other text."""
        match = _POSITION.fullmatch(text)
        return cls(int(match[1]), int(match[2] or 0)) if match else None


class Entry(NamedTuple):
    """An event and its position."""

    position: Position
    event: Event


def _position(entry: Entry) -> Position:
    return entry.position


class EventLog:
    """Receive records as they are stored and return their events."""

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._max_events = max_events
        self._entries: list[Entry] = []
        self._last: dict[VersionKey, Entry] = {}
        self._floor = Position(0)
        self._changed = asyncio.Event()

    def append(self, stored: StoredRecord, *, initial: bool = False) -> None:
        """Append a record's new events. `initial`: from a list, so the events may be old."""
        last = self._last.get(stored.key)
        for event in stored.events:
            if last is not None and event.sequence <= last.event.sequence:
                continue
            is_confirmed = event.sequence <= stored.record.confirmed
            revision = (is_confirmed and stored.record.stored_at) or stored.revision
            entry = Entry(Position(revision, event.sequence), event)
            self._last[stored.key] = entry
            if initial:
                self._floor = max(self._floor, entry.position)
            else:
                bisect.insort(self._entries, entry, key=_position)
        while len(self._entries) > self._max_events:
            self._floor = max(self._floor, self._entries.pop(0).position)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def forget(self, key: VersionKey) -> None:
        """Forget the last event of a version whose record was deleted manually."""
        self._last.pop(key, None)

    @property
    def end(self) -> Position:
        """The position after the last event."""
        last = self._entries[-1].position if self._entries else Position(0)
        return max(last, self._floor)

    def after(self, position: Position) -> list[Entry]:
        """Return the events after a position."""
        start = bisect.bisect_right(self._entries, position, key=_position)
        recent = self._entries[start:]
        if position >= self._floor:
            return recent
        recent_ids = {entry.event.id for entry in recent}
        older = [
            entry
            for entry in self._last.values()
            if entry.position > position and entry.event.id not in recent_ids
        ]
        return sorted([*older, *recent], key=_position)

    def find(self, event_id: str) -> Position | None:
        """Return the position of an event by its `id`, or None if it is no longer known."""
        entries = (*reversed(self._entries), *self._last.values())
        return next((entry.position for entry in entries if entry.event.id == event_id), None)

    async def wait(self, seconds: float) -> bool:
        """Return True as soon as there are new events, False after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
