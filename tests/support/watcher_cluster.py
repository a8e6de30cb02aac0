"""An API server in memory, for the watcher's tests: history, exact lists, conditional writes."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from watcher import raw
from watcher.api import Listed
from watcher.errors import ApiError, BrokerAwayError, ConflictError
from watcher.events import Event

NAMESPACE = "models"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

Object = dict[str, object]


class Killed(BaseException):
    """The process ends here, between two instructions."""


class Cluster:
    """What the watcher needs of an API server. `on_write(moment)` may raise, or count."""

    def __init__(self) -> None:
        self.revision = 1000
        self.history: list[tuple[int, str, str, Object]] = []
        self.objects: dict[str, dict[str, Object]] = {}
        self.compacted = 0
        self.down = False
        self.lag: dict[str, float] = {}
        """Seconds until a watch of a path says anything."""
        self.on_write: Callable[[str], None] = lambda _moment: None
        self._changed = asyncio.Event()
        self._cuts = 0

    # What happens in the cluster

    def put(self, path: str, item: Object) -> None:
        kept = self.objects.setdefault(path, {})
        name = str(item["metadata"]["name"])  # type: ignore[index]
        self._record(path, "MODIFIED" if name in kept else "ADDED", item)
        kept[name] = item

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

    # What the watcher asks

    async def pages(self, path: str, selector: str, at: int | None = None) -> AsyncIterator[Listed]:
        await asyncio.sleep(0)
        self._check()
        moment = self.revision if at is None else at
        if moment < self.compacted:
            raise ApiError(410, "the resourceVersion is too old")
        if moment > self.revision:
            raise ApiError(504, "too large resource version")
        standing: dict[str, Object] = {}
        for revision, where, kind, item in self.history:
            if where == path and revision <= moment:
                name = str(item["metadata"]["name"])  # type: ignore[index]
                standing.pop(name, None)
                if kind != "DELETED":
                    standing[name] = item
        found = [item for item in standing.values() if _matches(item, selector)]
        yield Listed([msgspec.Raw(msgspec.json.encode(item)) for item in found], moment)

    async def watch(self, path: str, selector: str, since: int) -> AsyncIterator[raw.WatchEvent]:
        self._check()
        if since < self.compacted:
            raise ApiError(410, "too old resource version")
        cuts, at = self._cuts, 0
        await asyncio.sleep(self.lag.get(path, 0))
        yield raw.bookmark(since)
        while True:
            while at < len(self.history):
                revision, where, kind, item = self.history[at]
                at += 1
                if where == path and revision > since and _matches(item, selector):
                    yield raw.WatchEvent(kind, msgspec.Raw(msgspec.json.encode(item)))
            await self._changed.wait()
            if self._cuts != cuts or self.down:
                raise ApiError(0, "the connection broke")

    async def get(self, path: str) -> bytes | None:
        await asyncio.sleep(0)
        self._check()
        where, _, name = path.rpartition("/")
        found = self.objects.get(where, {}).get(name)
        return None if found is None else msgspec.json.encode(found)

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
        found = self.objects.get(where, {}).get(name)
        if found is None:
            raise ApiError(404, "not found")
        meta = found["metadata"]
        asked = body["metadata"]
        if asked["resourceVersion"] != meta["resourceVersion"]:  # type: ignore[index]
            raise ConflictError(409, "the object has been modified")
        merged = copy.deepcopy(found)
        _merge(merged, body)
        self.put(where, merged)
        self.on_write("after")
        return msgspec.json.encode(merged)

    def _check(self) -> None:
        if self.down:
            raise ApiError(0, "connection refused")


class Broker:
    """RabbitMQ as the dispatcher sees it. `on_confirm` may raise after a message is stored."""

    def __init__(self) -> None:
        self.away = False
        self.messages: list[Event] = []
        self.on_confirm: Callable[[], None] = lambda: None

    async def publish(self, event: Event) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise BrokerAwayError("connection refused")
        self.messages.append(event)
        self.on_confirm()

    def told(self) -> list[str]:
        """Each event once, as `<routing key> <sequence>`, in the order of first arrival."""
        return [f"{one.routing_key} {one.sequence}" for one in self.unique()]

    def unique(self) -> list[Event]:
        """Each event once; the same id with another content is a failure."""
        seen: dict[str, Event] = {}
        for message in self.messages:
            assert seen.setdefault(message.id, message) == message
        return list(seen.values())


def _matches(item: Object, selector: str) -> bool:
    labels: Mapping[str, str] = item["metadata"].get("labels") or {}  # type: ignore[attr-defined]
    for term in filter(None, selector.split(",")):
        name, equals, value = term.partition("=")
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


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something is so; it must become so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
