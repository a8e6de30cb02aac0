"""The status in memory: the state from the streams, and the documents built from it on demand."""

import hashlib
import time
from typing import NamedTuple

import msgspec

from watcher import documents
from watcher.event_log import EventLog
from watcher.inventory import Inventory
from watcher.list_watch import Bookmark, Change, Disconnected, Snapshot
from watcher.records import StoredRecord
from watcher.resources import Route, VersionKey


class Document(NamedTuple):
    """A response body and its ETag, without quotes."""

    body: bytes
    etag: str


class StatusCache:
    """The source of all status responses, at the leader and at the follower. Never waits."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.stale_streams: dict[str, float] = {}
        """Disconnected streams, and since when."""
        self._inventory = Inventory()
        self._versions: dict[str, set[str]] = {}
        self._routes: dict[str, dict[str, dict[str, Route]]] = {}
        self._records: dict[VersionKey, StoredRecord] = {}
        self._models: dict[str, Document] = {}
        self._all_models: Document | None = None

    def set_inventory(self, inventory: Inventory) -> None:
        """Serve the versions of this inventory from now on."""
        self._inventory = inventory
        self._versions = {}
        for key in inventory.versions():
            self._versions.setdefault(key.model, set()).add(key.version)
        self._models.clear()
        self._all_models = None

    def mark_changed(self, key: VersionKey) -> None:
        """Rebuild the documents of a version's model on the next request."""
        if self._inventory.deployment(key) is not None:
            self._versions.setdefault(key.model, set()).add(key.version)
        elif key.model in self._versions:
            self._versions[key.model].discard(key.version)
            if not self._versions[key.model]:
                del self._versions[key.model]
        self._invalidate(key.model)

    def set_stream_state(self, stream: str, event: object) -> None:
        """Mark a stream as stale after a disconnection, as current after any other event."""
        if isinstance(event, Disconnected):
            if self.stale_streams.setdefault(stream, time.time()):
                self._all_models = None
        elif self.stale_streams.pop(stream, None) is not None:
            self._all_models = None

    def apply_route(
        self, stream: str, event: Snapshot[Route] | Change[Route] | Bookmark | Disconnected
    ) -> None:
        """Apply a change of routes; each of the two resources with routes is a stream."""
        if isinstance(event, Snapshot):
            for model in [*self._routes]:
                if self._routes[model].pop(stream, None) is not None:
                    self._invalidate(model)
            for route in event.items:
                self._put_route(stream, route)
        elif isinstance(event, Change) and event.deleted:
            self._routes.get(event.item.model, {}).get(stream, {}).pop(event.item.name, None)
            self._invalidate(event.item.model)
        elif isinstance(event, Change):
            self._put_route(stream, event.item)

    def apply_record(
        self, event: Snapshot[StoredRecord] | Change[StoredRecord] | Bookmark | Disconnected
    ) -> None:
        """Apply a change of records and log their new events."""
        if isinstance(event, Snapshot):
            initial = not self._records
            vanished = self._records.keys() - {stored.key for stored in event.items}
            for key in vanished:
                self._delete_record(key)
            for stored in sorted(event.items, key=lambda stored: stored.revision):
                self._put_record(stored, initial=initial)
        elif isinstance(event, Change) and event.deleted:
            self._delete_record(event.item.key)
        elif isinstance(event, Change):
            self._put_record(event.item, initial=False)

    def records(self) -> dict[VersionKey, StoredRecord]:
        """Return the stored records by version."""
        return self._records

    def models(self) -> Document:
        """Return the document of all models."""
        if self._all_models is None:
            with_routes = {model for model, routes in self._routes.items() if any(routes.values())}
            names = sorted(self._versions.keys() | with_routes)
            bodies = [item.body for name in names if (item := self.model(name)) is not None]
            since = min(self.stale_streams.values(), default=None)
            head = msgspec.json.encode({"stale_since": since})[:-1] + b',"models":['
            self._all_models = make_document(head + b",".join(bodies) + b"]}")
        return self._all_models

    def model(self, name: str) -> Document | None:
        """Return the document of a model, or None if it does not exist."""
        document = self._models.get(name)
        streams = self._routes.get(name, {})
        if document is None and (name in self._versions or any(streams.values())):
            versions = [
                item
                for version in self._versions.get(name, ())
                if (item := self._version(VersionKey(name, version))) is not None
            ]
            routes = [route for stream in streams.values() for route in stream.values()]
            model = documents.model_document(name, versions, routes)
            document = make_document(msgspec.json.encode(model))
            self._models[name] = document
        return document

    def version(self, key: VersionKey) -> Document | None:
        """Return the document of a version, or None if it does not exist."""
        version = self._version(key)
        return None if version is None else make_document(msgspec.json.encode(version))

    def counts(self) -> dict[str, int]:
        """Return the number of versions by state."""
        counts: dict[str, int] = {}
        now = time.time()
        for key in self._inventory.versions():
            status = self._inventory.status(key, now)
            if status is not None:
                counts[status.state] = counts.get(status.state, 0) + 1
        return counts

    def _version(self, key: VersionKey) -> documents.VersionDocument | None:
        stored = self._records.get(key)
        record = None if stored is None else stored.record
        return documents.version_document(key, self._inventory, record, time.time())

    def _put_route(self, stream: str, route: Route) -> None:
        self._routes.setdefault(route.model, {}).setdefault(stream, {})[route.name] = route
        self._invalidate(route.model)

    def _put_record(self, stored: StoredRecord, *, initial: bool) -> None:
        self.log.append(stored, initial=initial)
        # only the log keeps the events
        self._records[stored.key] = msgspec.structs.replace(stored, events=())
        if stored.record.was_available:
            self._inventory.mark_available(stored.key, stored.record.uid)
        self._invalidate(stored.key.model)

    def _delete_record(self, key: VersionKey) -> None:
        self._records.pop(key, None)
        self.log.forget(key)
        self._invalidate(key.model)

    def _invalidate(self, model: str) -> None:
        self._models.pop(model, None)
        self._all_models = None


def make_document(body: bytes) -> Document:
    """Make a document whose ETag is the hash of its body."""
    return Document(body, hashlib.blake2b(body, digest_size=12).hexdigest())
