"""An API server in memory: history, lists at a revision, conditional writes."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from watcher import k8s_types
from watcher.errors import ApiError, BrokerUnavailableError, ConflictError
from watcher.events import Event
from watcher.kube_client import Page

NAMESPACE = "models"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

Object = dict[str, object]


class Killed(BaseException):
    """Raised to simulate that the process is killed at this point."""


class Cluster:
    """The API server. Tests set `on_write(moment)` to raise or to count writes."""

    def __init__(self) -> None:
        self.revision = 1000
        self.history: list[tuple[int, str, str, Object]] = []
        self.objects: dict[str, dict[str, Object]] = {}
        self.compacted = 0
        self.down = False
        self.lag: dict[str, float] = {}
        """Delay of a watch in seconds, by path."""
        self.on_write: Callable[[str], None] = lambda _moment: None
        self._changed = asyncio.Event()
        self._cuts = 0

    # Changes made by tests

    def put(self, path: str, item: Object) -> None:
        items = self.objects.setdefault(path, {})
        name = str(item["metadata"]["name"])  # type: ignore[index]
        self._record(path, "MODIFIED" if name in items else "ADDED", item)
        items[name] = item

    def delete(self, path: str, name: str) -> None:
        self._record(path, "DELETED", self.objects[path].pop(name))

    def compact(self) -> None:
        """Forget all history."""
        self.compacted = self.revision

    def cut(self) -> None:
        """Break all watches."""
        self._cuts += 1
        self._wake()

    def _record(self, path: str, kind: str, item: Object) -> None:
        self.revision += 1
        item["metadata"]["resourceVersion"] = str(self.revision)  # type: ignore[index]
        self.history.append((self.revision, path, kind, copy.deepcopy(item)))
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # The client interface

    async def pages(self, path: str, selector: str, at: int | None = None) -> AsyncIterator[Page]:
        await asyncio.sleep(0)
        self._check()
        moment = self.revision if at is None else at
        if moment < self.compacted:
            raise ApiError(410, "the resourceVersion is too old")
        if moment > self.revision:
            raise ApiError(504, "too large resource version")
        current: dict[str, Object] = {}
        for revision, where, kind, item in self.history:
            if where == path and revision <= moment:
                name = str(item["metadata"]["name"])  # type: ignore[index]
                current.pop(name, None)
                if kind != "DELETED":
                    current[name] = item
        matching = [item for item in current.values() if _matches(item, selector)]
        yield Page([msgspec.Raw(msgspec.json.encode(item)) for item in matching], moment)

    async def watch(
        self, path: str, selector: str, since: int
    ) -> AsyncIterator[k8s_types.WatchEvent]:
        self._check()
        if since < self.compacted:
            raise ApiError(410, "too old resource version")
        cuts, at = self._cuts, 0
        await asyncio.sleep(self.lag.get(path, 0))
        yield k8s_types.bookmark(since)
        while True:
            while at < len(self.history):
                revision, where, kind, item = self.history[at]
                at += 1
                if where == path and revision > since and _matches(item, selector):
                    yield k8s_types.WatchEvent(kind, msgspec.Raw(msgspec.json.encode(item)))
            await self._changed.wait()
            if self._cuts != cuts or self.down:
                raise ApiError(0, "the connection broke")

    async def get(self, path: str) -> bytes | None:
        await asyncio.sleep(0)
        self._check()
        where, _, name = path.rpartition("/")
        item = self.objects.get(where, {}).get(name)
        return None if item is None else msgspec.json.encode(item)

    async def create(self, path: str, body: Mapping[str, object]) -> bytes:
        await asyncio.sleep(0)
        self._check()
        self.on_write("before")
        item: Object = copy.deepcopy(dict(body))
        name = str(item["metadata"]["name"])  # type: ignore[index]
        if name in self.objects.get(path, {}):
            raise ConflictError(409, "it exists")
        self.put(path, item)
        self.on_write("after")
        return msgspec.json.encode(item)

    async def patch(self, path: str, body: Mapping[str, object]) -> bytes:
        await asyncio.sleep(0)
        self._check()
        self.on_write("before")
        where, _, name = path.rpartition("/")
        item = self.objects.get(where, {}).get(name)
        if item is None:
            raise ApiError(404, "not item")
        meta = item["metadata"]
        changes = body["metadata"]
        if changes["resourceVersion"] != meta["resourceVersion"]:  # type: ignore[index]
            raise ConflictError(409, "the object has been modified")
        merged = copy.deepcopy(item)
        _merge(merged, body)
        self.put(where, merged)
        self.on_write("after")
        return msgspec.json.encode(merged)

    async def remove(self, path: str, revision: int) -> None:
        await asyncio.sleep(0)
        self._check()
        where, _, name = path.rpartition("/")
        item = self.objects.get(where, {}).get(name)
        if item is None:
            raise ApiError(404, "not found")
        if item["metadata"]["resourceVersion"] != str(revision):  # type: ignore[index]
            raise ConflictError(409, "the object has been modified")
        self.delete(where, name)

    def _check(self) -> None:
        if self.down:
            raise ApiError(0, "connection refused")


class Broker:
    """An in-memory publisher. Tests set `on_confirm` to raise after a message is stored."""

    def __init__(self) -> None:
        self.is_down = False
        self.messages: list[Event] = []
        self.on_confirm: Callable[[], None] = lambda: None

    async def publish(self, event: Event) -> None:
        await asyncio.sleep(0)
        if self.is_down:
            raise BrokerUnavailableError("connection refused")
        self.messages.append(event)
        self.on_confirm()

    def published(self) -> list[str]:
        """Return each event once, as `<routing key> <sequence>`, in the order of first arrival."""
        return [f"{event.routing_key} {event.sequence}" for event in self.unique()]

    def unique(self) -> list[Event]:
        """Return each event once; fail if an id has two contents."""
        events: dict[str, Event] = {}
        for message in self.messages:
            assert events.setdefault(message.id, message) == message
        return list(events.values())


def _matches(item: Object, selector: str) -> bool:
    labels: Mapping[str, str] = item["metadata"].get("labels") or {}  # type: ignore[attr-defined]
    for requirement in filter(None, selector.split(",")):
        name, equals, value = requirement.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _merge(target: Object, change: Mapping[str, object]) -> None:
    for name, value in change.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(name, {}), value)  # type: ignore[arg-type]
        else:
            target[name] = value


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the condition holds; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
