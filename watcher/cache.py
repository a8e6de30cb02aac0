"""The status in memory: what the streams bring, and the documents made of it, each made once."""

import hashlib
import time
from typing import NamedTuple

import msgspec

from watcher import documents
from watcher.event_log import EventLog
from watcher.inventory import Inventory
from watcher.list_watch import Bookmark, Change, Interrupted, Snapshot
from watcher.objects import Key, Route
from watcher.records import Stored


class Document(NamedTuple):
    """An answer: JSON, and the name of exactly this content."""

    body: bytes
    etag: str


class Cache:
    """What both replicas answer from. Nothing in here waits."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self.log = EventLog()
        self.stale: dict[str, float] = {}
        """Streams that are not heard, and since when."""
        self._inventory = Inventory()
        self._versions: dict[str, set[str]] = {}
        self._routes: dict[str, dict[str, dict[str, Route]]] = {}
        self._records: dict[Key, Stored] = {}
        self._models: dict[str, Document] = {}
        self._whole: Document | None = None

    def use(self, inventory: Inventory) -> None:
        """From now on this is what stands."""
        self._inventory = inventory
        self._versions = {}
        for key in inventory.versions():
            self._versions.setdefault(key.model, set()).add(key.version)
        self._models.clear()
        self._whole = None

    def touch(self, key: Key) -> None:
        """A version may stand differently now."""
        if self._inventory.deployment(key) is not None:
            self._versions.setdefault(key.model, set()).add(key.version)
        elif key.model in self._versions:
            self._versions[key.model].discard(key.version)
            if not self._versions[key.model]:
                del self._versions[key.model]
        self._forget(key.model)

    def heard(self, stream: str, one: object) -> None:
        """A stream has said something, or has fallen silent."""
        if isinstance(one, Interrupted):
            if self.stale.setdefault(stream, time.time()):
                self._whole = None
        elif self.stale.pop(stream, None) is not None:
            self._whole = None

    def take_route(
        self, stream: str, one: Snapshot[Route] | Change[Route] | Bookmark | Interrupted
    ) -> None:
        """A route has changed; two kinds of objects hold routes, each a stream of its own."""
        if isinstance(one, Snapshot):
            for model in [*self._routes]:
                if self._routes[model].pop(stream, None) is not None:
                    self._forget(model)
            for route in one.items:
                self._put(stream, route)
        elif isinstance(one, Change) and one.gone:
            self._routes.get(one.item.model, {}).get(stream, {}).pop(one.item.name, None)
            self._forget(one.item.model)
        elif isinstance(one, Change):
            self._put(stream, one.item)

    def take_record(self, one: Snapshot[Stored] | Change[Stored] | Bookmark | Interrupted) -> None:
        """A record has been stored: an event, for those who follow by HTTP."""
        if isinstance(one, Snapshot):
            first = not self._records
            vanished = self._records.keys() - {stored.key for stored in one.items}
            for key in vanished:
                self._drop(key)
            for stored in sorted(one.items, key=lambda stored: stored.revision):
                self._keep(stored, first=first)
        elif isinstance(one, Change) and one.gone:
            self._drop(one.item.key)
        elif isinstance(one, Change):
            self._keep(one.item, first=False)

    def records(self) -> dict[Key, Stored]:
        """What is stored, by version."""
        return self._records

    def models(self) -> Document:
        """Everything."""
        if self._whole is None:
            names = sorted(
                self._versions.keys() | {m for m, r in self._routes.items() if any(r.values())}
            )
            all_of_them = [one for name in names if (one := self.model(name)) is not None]
            since = min(self.stale.values(), default=None)
            head = msgspec.json.encode({"stale_since": since})[:-1] + b',"models":['
            self._whole = document(head + b",".join(one.body for one in all_of_them) + b"]}")
        return self._whole

    def model(self, name: str) -> Document | None:
        """One model, or None."""
        found = self._models.get(name)
        if found is None and (name in self._versions or any(self._routes.get(name, {}).values())):
            versions = [
                one
                for version in self._versions.get(name, ())
                if (one := self._version(Key(name, version))) is not None
            ]
            routes = [
                route for kind in self._routes.get(name, {}).values() for route in kind.values()
            ]
            found = document(msgspec.json.encode(documents.model(name, versions, routes)))
            self._models[name] = found
        return found

    def version(self, key: Key) -> Document | None:
        """One version, or None."""
        found = self._version(key)
        return None if found is None else document(msgspec.json.encode(found))

    def counts(self) -> dict[str, int]:
        """Number of versions by state."""
        counted: dict[str, int] = {}
        now = time.time()
        for key in self._inventory.versions():
            standing = self._inventory.standing(key, now)
            if standing is not None:
                counted[standing.state] = counted.get(standing.state, 0) + 1
        return counted

    def _version(self, key: Key) -> documents.Version | None:
        stored = self._records.get(key)
        record = None if stored is None else stored.record
        return documents.version(key, self._inventory, record, time.time())

    def _put(self, stream: str, route: Route) -> None:
        self._routes.setdefault(route.model, {}).setdefault(stream, {})[route.name] = route
        self._forget(route.model)

    def _keep(self, stored: Stored, *, first: bool) -> None:
        self.log.take(stored, first=first)
        # the events themselves are the log's
        self._records[stored.key] = msgspec.structs.replace(stored, events=())
        if stored.record.was_available:
            self._inventory.remember_available(stored.key, stored.record.uid)
        self._forget(stored.key.model)

    def _drop(self, key: Key) -> None:
        self._records.pop(key, None)
        self.log.forget(key)
        self._forget(key.model)

    def _forget(self, model: str) -> None:
        self._models.pop(model, None)
        self._whole = None


def document(body: bytes) -> Document:
    """An answer with the name of its content."""
    return Document(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
