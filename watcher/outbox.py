"""The outbox of events: stored in the cluster before they are published, removed afterwards.

Every write is conditional on the resourceVersion that was read: if two watchers consider themselves
leader, one gets a conflict and ends its session. Events are not kept in memory. A *record* is the
data of a version; it is stored as annotations of a *Lease*.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from watcher import events, list_watch, records
from watcher.errors import ApiError, ConflictError, WatcherError
from watcher.events import Event
from watcher.kube_client import ObjectClient
from watcher.list_watch import ListWatchClient, Resource
from watcher.records import Record, StoredRecord
from watcher.resources import ProcessedRevisions, VersionKey
from watcher.transitions import VersionStatus

_NOT_FOUND = 404


class ForeignWriteError(WatcherError):
    """Raised when another process writes the records: another watcher is the leader."""


class PendingTransition(msgspec.Struct, frozen=True):
    """A transition that is not stored yet."""

    status: VersionStatus
    was_available: bool
    processed: ProcessedRevisions
    replay_revision: int
    """A watch that starts here delivers the change again."""
    time: str
    received_at: float
    """Monotonic seconds at which the change arrived."""


class OutboxClient(ListWatchClient, ObjectClient, Protocol):
    """The part of the API client that the outbox needs."""


class _Entry(msgspec.Struct, frozen=True):
    """A record, and the resourceVersion for the next conditional write (0: create it)."""

    record: Record
    revision: int


class Outbox:
    """The records of one leader session. At most one task may use a version at a time."""

    def __init__(self, client: OutboxClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._entries: dict[VersionKey, _Entry] = {}

    async def load(self) -> None:
        """Read the records that earlier sessions have stored. Raises ApiError."""
        resource = Resource("records", self._path, records.SELECTOR, records.parse_record)
        snapshot = await list_watch.list_all(self._client, resource)
        self._entries = {
            stored.key: _Entry(stored.record, stored.revision) for stored in snapshot.items
        }

    def record(self, key: VersionKey) -> Record | None:
        """Return the record of a version."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record

    def all(self) -> dict[VersionKey, Record]:
        """Return all records, including those of deleted versions."""
        return {key: entry.record for key, entry in self._entries.items()}

    def pending_count(self, key: VersionKey) -> int:
        """Return the number of events of a version without a confirmation."""
        entry = self._entries.get(key)
        return 0 if entry is None else entry.record.pending_count

    async def store(self, key: VersionKey, transition: PendingTransition) -> Event | None:
        """Store the next event; return None if the state is already reported.

        Raises ApiError (a retry detects a write that succeeded without a response) and
        ForeignWriteError.
        """
        old = self.record(key)
        status = transition.status
        if old is not None and (old.uid, old.state) == (status.uid, status.state):
            return None
        sequence = 1 if old is None else old.sequence + 1
        previous = None if old is None else old.state
        event = events.build_event(
            self._namespace, key, status, previous, sequence, transition.time
        )
        record = Record(
            uid=status.uid,
            state=status.state,
            sequence=sequence,
            confirmed=0 if old is None else old.confirmed,
            was_available=transition.was_available,
            since=transition.time,
            previous=previous,
            image=status.image,
            deployments=transition.processed.deployments,
            pods=transition.processed.pods,
        )
        await self._write(key, record, {sequence: event})
        return event

    async def pending_events(self, key: VersionKey) -> list[Event]:
        """Read the pending events of a version, in order. Raises ApiError."""
        stored = await self._read(key)
        return [] if stored is None else stored.pending_events

    async def confirm(self, key: VersionKey, sequence: int) -> None:
        """Record that the broker has confirmed all events up to `sequence`.

        The event itself is kept until the next one is confirmed, for clients of the event stream
        that were disconnected. Raises ApiError and ForeignWriteError.
        """
        entry = self._entries[key]
        if entry.record.confirmed >= sequence:
            return
        is_last = entry.record.sequence == sequence
        record = msgspec.structs.replace(
            entry.record, confirmed=sequence, stored_at=entry.revision if is_last else 0
        )
        await self._write(key, record, {sequence - 1: None})

    def expired(self, now: float) -> list[VersionKey]:
        """Return the versions whose records are no longer needed, 30 days after the deletion."""
        return [key for key, entry in self._entries.items() if entry.record.is_expired(now)]

    async def remove(self, key: VersionKey) -> None:
        """Delete the record of a version. Raises ApiError and ForeignWriteError."""
        entry = self._entries[key]
        try:
            await self._client.remove(f"{self._path}/{key.object_name}", entry.revision)
        except ConflictError as error:
            message = f"record {key.object_name} was changed by another writer: {error}"
            raise ForeignWriteError(message) from error
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
        del self._entries[key]

    async def _write(
        self, key: VersionKey, record: Record, changes: Mapping[int, Event | None]
    ) -> None:
        annotations = records.to_annotations(record, changes)
        entry = self._entries.get(key)
        try:
            if entry is None or not entry.revision:
                body = await self._client.create(self._path, records.build_lease(key, annotations))
            else:
                meta = {"resourceVersion": str(entry.revision), "annotations": annotations}
                path = f"{self._path}/{key.object_name}"
                body = await self._client.patch(path, {"metadata": meta})
        except ConflictError as error:
            await self._resolve_conflict(key, record, error)
            return
        except ApiError as error:
            if error.status != _NOT_FOUND or entry is None:
                raise
            # deleted manually: the retry creates it, and the sequence continues
            self._entries[key] = _Entry(entry.record, 0)
            raise
        stored = records.parse_record(body)
        self._entries[key] = _Entry(record, 0 if stored is None else stored.revision)

    async def _resolve_conflict(
        self, key: VersionKey, record: Record, error: ConflictError
    ) -> None:
        """Accept the conflict if an earlier attempt succeeded and only its response was lost."""
        stored = await self._read(key)
        if stored is None or stored.record != record:
            message = f"record {key.object_name} was changed by another writer: {error}"
            raise ForeignWriteError(message) from error
        self._entries[key] = _Entry(record, stored.revision)

    async def _read(self, key: VersionKey) -> StoredRecord | None:
        body = await self._client.get(f"{self._path}/{key.object_name}")
        return None if body is None else records.parse_record(body)
