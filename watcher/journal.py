"""Events on their way: stored in the cluster before they are published, cleared after.

Every write is conditional on the resourceVersion that was read: of two watchers that both believe
to lead, one gets a conflict and ends its term. Nothing of an event stays in memory.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from watcher import events, list_watch, records
from watcher.api import Objects
from watcher.errors import ApiError, ConflictError, WatcherError
from watcher.events import Event
from watcher.following import Seen
from watcher.list_watch import Resource, Source
from watcher.objects import Key
from watcher.records import Record, Stored
from watcher.transitions import Standing

_NOT_FOUND = 404


class ForeignWriteError(WatcherError):
    """Somebody else writes the records: another watcher leads. This term is over."""


class Owed(msgspec.Struct, frozen=True):
    """A transition that has not been stored yet."""

    standing: Standing
    was_available: bool
    seen: Seen
    revision: int
    """A watch begun here shows the change again."""
    time: str
    began: float
    """Monotonic seconds at which the change arrived."""


class Store(Source, Objects, Protocol):
    """What of the API server is needed here."""


class _Entry(msgspec.Struct, frozen=True):
    """A record, and the resourceVersion that the next write is conditional on (0: make it)."""

    record: Record
    revision: int


class Journal:
    """The records of one term. Not to be used for one version from two tasks at once."""

    def __init__(self, api: Store, namespace: str) -> None:
        """Empty until `load`."""
        self._api = api
        self._namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._entries: dict[Key, _Entry] = {}

    async def load(self) -> None:
        """Read what earlier terms have stored. Raises ApiError."""
        resource = Resource("records", self._path, records.SELECTOR, records.parse)
        snapshot = await list_watch.whole_list(self._api, resource)
        self._entries = {one.key: _Entry(one.record, one.revision) for one in snapshot.items}

    def record(self, key: Key) -> Record | None:
        """The record of a version."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record

    def all(self) -> dict[Key, Record]:
        """All records, those of versions that are gone included."""
        return {key: entry.record for key, entry in self._entries.items()}

    def pending(self, key: Key) -> int:
        """Number of events of a version that the broker has not confirmed."""
        entry = self._entries.get(key)
        return 0 if entry is None else entry.record.pending

    async def store(self, key: Key, owed: Owed) -> Event | None:
        """Store the next event; None if nothing is owed after all.

        Raises ApiError (try again: what may have been written is found out then) and
        ForeignWriteError.
        """
        old = self.record(key)
        if old is not None and (old.uid, old.state) == (owed.standing.uid, owed.standing.state):
            return None
        sequence = 1 if old is None else old.sequence + 1
        previous = None if old is None else old.state
        event = events.event(self._namespace, key, owed.standing, previous, sequence, owed.time)
        record = Record(
            uid=owed.standing.uid,
            state=owed.standing.state,
            sequence=sequence,
            confirmed=0 if old is None else old.confirmed,
            was_available=owed.was_available,
            since=owed.time,
            previous=previous,
            image=owed.standing.image,
            deployments=owed.seen.deployments,
            pods=owed.seen.pods,
        )
        await self._write(key, record, {sequence: event})
        return event

    async def unconfirmed(self, key: Key) -> list[Event]:
        """The pending events of a version, in their order. Raises ApiError."""
        stored = await self._stored(key)
        return [] if stored is None else stored.pending

    async def clear(self, key: Key, sequence: int) -> None:
        """The broker has confirmed everything up to here.

        The event itself stays until the next one is confirmed: who reads the stream may have been
        away. Raises ApiError and ForeignWriteError.
        """
        entry = self._entries[key]
        if entry.record.confirmed >= sequence:
            return
        last = entry.record.sequence == sequence
        record = msgspec.structs.replace(
            entry.record, confirmed=sequence, stored_at=entry.revision if last else 0
        )
        await self._write(key, record, {sequence - 1: None})

    async def _write(self, key: Key, record: Record, changes: Mapping[int, Event | None]) -> None:
        told = records.annotations(record, changes)
        entry = self._entries.get(key)
        try:
            if entry is None or not entry.revision:
                body = await self._api.create(self._path, records.lease(key, told))
            else:
                meta = {"resourceVersion": str(entry.revision), "annotations": told}
                path = f"{self._path}/{key.object_name}"
                body = await self._api.patch(path, {"metadata": meta})
        except ConflictError as error:
            await self._judge(key, record, error)
            return
        except ApiError as error:
            if error.status != _NOT_FOUND or entry is None:
                raise
            # deleted by a hand: made anew at the next attempt, and the sequence goes on
            self._entries[key] = _Entry(entry.record, 0)
            raise
        stored = records.parse(body)
        self._entries[key] = _Entry(record, 0 if stored is None else stored.revision)

    async def _judge(self, key: Key, record: Record, error: ConflictError) -> None:
        """A conflict is ours if an earlier attempt got through and only its answer was lost."""
        stored = await self._stored(key)
        if stored is None or stored.record != record:
            message = f"the record of {key.object_name} was written by somebody else: {error}"
            raise ForeignWriteError(message) from error
        self._entries[key] = _Entry(record, stored.revision)

    async def _stored(self, key: Key) -> Stored | None:
        body = await self._api.get(f"{self._path}/{key.object_name}")
        return None if body is None else records.parse(body)
