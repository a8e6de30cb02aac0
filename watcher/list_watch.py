"""List and watch a resource, as three nested generators (named as in kopf).

`infinite_watch` never ends; `_continuous_watch` lists once and watches until the API server's
history has expired; `_watch_objects` is one connection. Objects are parsed here and interpreted by
the caller. After a gap comes a complete `Snapshot` to compare with the known objects, so that no
deletion in the gap is lost.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from watcher import k8s_types
from watcher.errors import ApiError
from watcher.kube_client import Page, back_off

logger = logging.getLogger(__name__)
_NOT_FOUND = 404
MISSING_RESOURCE_RETRY_SECONDS = 30.0
"""Interval of requests for a resource type that the cluster does not have (yet)."""

T = TypeVar("T")


class ListWatchClient(Protocol):
    """The part of the API client that list and watch need."""

    def pages(self, path: str, selector: str, revision: int | None = None) -> AsyncIterator[Page]:
        """List all objects page by page."""
        ...

    def watch(self, path: str, selector: str, since: int) -> AsyncIterator[k8s_types.WatchEvent]:
        """Yield a bookmark of `since` as soon as the API server answers, then the changes."""
        ...


class Resource(msgspec.Struct, Generic[T], frozen=True):
    """A resource to follow: its path, its label selector, and the parser of its objects."""

    name: str
    path: str
    selector: str
    parse: Callable[[msgspec.Raw], T | None]


class Snapshot(msgspec.Struct, Generic[T], frozen=True):
    """All objects as of a revision."""

    items: list[T]
    revision: int


class Change(msgspec.Struct, Generic[T], frozen=True):
    """One created, changed or deleted object; `revision` is that of the change."""

    item: T
    deleted: bool
    revision: int


class Bookmark(msgspec.Struct, frozen=True):
    """All changes up to this revision have been delivered."""

    revision: int


class Disconnected(msgspec.Struct, frozen=True):
    """The connection to the API server is lost; any other event ends this state."""

    message: str


class _HistoryExpiredError(Exception):
    """Raised when the API server cannot resume the watch and a new list is required."""


_META = msgspec.json.Decoder(k8s_types.MetadataOnly)
_STATUS = msgspec.json.Decoder(k8s_types.Status)


async def infinite_watch(
    client: ListWatchClient, resource: Resource[T], since: int | None = None
) -> AsyncIterator[Snapshot[T] | Change[T] | Bookmark | Disconnected]:
    """Follow a resource forever; start after `since` if the API server still has that history."""
    attempt = 0
    while True:
        try:
            async for event in _continuous_watch(client, resource, since):
                if not isinstance(event, Disconnected):
                    attempt = 0
                yield event
        except _HistoryExpiredError as error:
            logger.info(
                "resourceVersion expired, re-listing: %s", error, extra={"resource": resource.name}
            )
        except ApiError as error:
            yield Disconnected(str(error))
            if error.status == _NOT_FOUND:
                yield Snapshot([], 0)
                await asyncio.sleep(MISSING_RESOURCE_RETRY_SECONDS)
            else:
                logger.warning("list failed: %s", error, extra={"resource": resource.name})
                await back_off(attempt)
                attempt += 1
        since = None


async def _continuous_watch(
    client: ListWatchClient, resource: Resource[T], since: int | None
) -> AsyncIterator[Snapshot[T] | Change[T] | Bookmark | Disconnected]:
    """List unless `since` is known, then watch, each time from where the last watch ended."""
    if since is None:
        snapshot = await list_all(client, resource)
        since = snapshot.revision
        yield snapshot
    attempt = 0
    while True:
        try:
            async for event in _watch_objects(client, resource, since):
                since, attempt = event.revision, 0
                yield event
        except ApiError as error:
            if error.history_expired:
                raise _HistoryExpiredError(str(error)) from error
            if error.status == _NOT_FOUND:
                raise
            logger.warning("watch failed, retrying: %s", error, extra={"resource": resource.name})
            yield Disconnected(str(error))
            await back_off(attempt)
            attempt += 1
        else:
            await asyncio.sleep(0.05)  # limits the rate if the API server ends each watch at once


async def _watch_objects(
    client: ListWatchClient, resource: Resource[T], since: int
) -> AsyncIterator[Change[T] | Bookmark]:
    """Watch over one connection. Raises ApiError."""
    async for event in client.watch(resource.path, resource.selector, since):
        match event.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                revision = _META.decode(event.object).metadata.revision
                item = _parse(resource, event.object)
                if item is None:
                    yield Bookmark(revision)
                else:
                    yield Change(item, event.type == "DELETED", revision)
            case "BOOKMARK":
                yield Bookmark(_META.decode(event.object).metadata.revision)
            case "ERROR":
                status = _STATUS.decode(event.object)
                raise ApiError(status.code, status.message)
            case unknown_type:
                logger.warning(
                    "watch event ignored: unknown type %r",
                    unknown_type,
                    extra={"resource": resource.name},
                )


async def list_all(
    client: ListWatchClient, resource: Resource[T], revision: int | None = None
) -> Snapshot[T]:
    """Return all objects, now or exactly as of a resourceVersion. Raises ApiError.

    Each page is parsed before the next one is requested, which bounds memory to one page.
    """
    items: list[T] = []
    listed_revision = 0
    async for page in client.pages(resource.path, resource.selector, revision):
        items += [item for data in page.items if (item := _parse(resource, data)) is not None]
        listed_revision = page.revision
    return Snapshot(items, listed_revision)


def _parse(resource: Resource[T], data: msgspec.Raw) -> T | None:
    """Parse an object; skip one that cannot be parsed, so that it does not block the others."""
    try:
        return resource.parse(data)
    except (msgspec.DecodeError, ValueError) as error:
        logger.warning("object ignored: %s", error, extra={"resource": resource.name})
        return None
