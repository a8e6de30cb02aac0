"""List and watch, as three nested generators, each with one job (kopf's shape).

`changes` goes on for ever; `_one_history` lists once and watches until the API server has forgotten
where we are; `_one_watch` is one connection. Objects come out parsed; what they mean is not known
here. After a gap comes a whole `Snapshot`, to be compared with what was known: nothing that
vanished in the gap is lost.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from watcher import raw
from watcher.api import Listed, pause
from watcher.errors import ApiError

logger = logging.getLogger(__name__)
_GONE = 410
_NOT_FOUND = 404
ABSENT_SECONDS = 30.0
"""A kind that the cluster does not have (yet) is asked for so often."""

T = TypeVar("T")


class Source(Protocol):
    """What of the API server is needed here."""

    def pages(self, path: str, selector: str, at: int | None = None) -> AsyncIterator[Listed]:
        """A list, page by page."""
        ...

    def watch(self, path: str, selector: str, since: int) -> AsyncIterator[raw.WatchEvent]:
        """A bookmark of `since` once the API server has answered, then the changes."""
        ...


class Resource(msgspec.Struct, Generic[T], frozen=True):
    """What to follow: an address, a selection, and what is kept of an object."""

    name: str
    path: str
    selector: str
    parse: Callable[[msgspec.Raw], T | None]


class Snapshot(msgspec.Struct, Generic[T], frozen=True):
    """All objects at a moment."""

    items: list[T]
    revision: int


class Change(msgspec.Struct, Generic[T], frozen=True):
    """One object, made or changed or gone; `revision` is that of this very change."""

    item: T
    gone: bool
    revision: int


class Bookmark(msgspec.Struct, frozen=True):
    """Nothing, but everything up to here has been told."""

    revision: int


class Interrupted(msgspec.Struct, frozen=True):
    """The API server is not heard any more; what is known may be old. Ends with anything else."""

    message: str


class _HistoryGoneError(Exception):
    """The API server does not remember where we are: a new list is needed."""


_META = msgspec.json.Decoder(raw.Plain)
_STATUS = msgspec.json.Decoder(raw.Status)


async def changes(
    api: Source, resource: Resource[T], since: int | None = None
) -> AsyncIterator[Snapshot[T] | Change[T] | Bookmark | Interrupted]:
    """Follow a resource for ever; after `since`, if the API server remembers it."""
    attempt = 0
    while True:
        try:
            async for one in _one_history(api, resource, since):
                if not isinstance(one, Interrupted):
                    attempt = 0
                yield one
        except _HistoryGoneError as error:
            logger.info("a new list: %s", error, extra={"resource": resource.name})
        except ApiError as error:
            yield Interrupted(str(error))
            if error.status == _NOT_FOUND:
                yield Snapshot([], 0)
                await asyncio.sleep(ABSENT_SECONDS)
            else:
                logger.warning("cannot list: %s", error, extra={"resource": resource.name})
                await pause(attempt)
                attempt += 1
        since = None


async def _one_history(
    api: Source, resource: Resource[T], since: int | None
) -> AsyncIterator[Snapshot[T] | Change[T] | Bookmark | Interrupted]:
    """One list, unless it is known since when to watch, then watches, each from the last's end."""
    if since is None:
        snapshot = await whole_list(api, resource)
        since = snapshot.revision
        yield snapshot
    attempt = 0
    while True:
        try:
            async for one in _one_watch(api, resource, since):
                since, attempt = one.revision, 0
                yield one
        except ApiError as error:
            if error.gone:
                raise _HistoryGoneError(str(error)) from error
            if error.status == _NOT_FOUND:
                raise
            logger.warning("watch again: %s", error, extra={"resource": resource.name})
            yield Interrupted(str(error))
            await pause(attempt)
            attempt += 1
        else:
            await asyncio.sleep(0.05)  # an API server that ends each watch at once is not hammered


async def _one_watch(
    api: Source, resource: Resource[T], since: int
) -> AsyncIterator[Change[T] | Bookmark]:
    """One connection. Raises ApiError."""
    async for event in api.watch(resource.path, resource.selector, since):
        match event.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                revision = _META.decode(event.object).metadata.revision
                item = _parsed(resource, event.object)
                if item is None:
                    yield Bookmark(revision)
                else:
                    yield Change(item, event.type == "DELETED", revision)
            case "BOOKMARK":
                yield Bookmark(_META.decode(event.object).metadata.revision)
            case "ERROR":
                status = _STATUS.decode(event.object)
                raise ApiError(status.code, status.message)
            case unknown:
                logger.warning(
                    "a watch event of unknown type %r is left alone",
                    unknown,
                    extra={"resource": resource.name},
                )


async def whole_list(api: Source, resource: Resource[T], at: int | None = None) -> Snapshot[T]:
    """All objects, now or exactly at a resourceVersion. Raises ApiError.

    Each page is boiled down before the next one comes: memory is that of one page.
    """
    items: list[T] = []
    revision = 0
    async for page in api.pages(resource.path, resource.selector, at):
        items += [kept for item in page.items if (kept := _parsed(resource, item)) is not None]
        revision = page.revision
    return Snapshot(items, revision)


def _parsed(resource: Resource[T], data: msgspec.Raw) -> T | None:
    """What is kept of an object. One that cannot be read must not stop all the others."""
    try:
        return resource.parse(data)
    except (msgspec.DecodeError, ValueError) as error:
        logger.warning("an object is left alone: %s", error, extra={"resource": resource.name})
        return None
