"""Follow Deployments and Pods from a revision on and keep an inventory of the versions.

A leader resumes at the revision up to which its predecessor has processed all changes, if the API
server still has that history. Then no change is missed while there was no leader. Changes that the
records already cover are applied silently, the others in the order of the cluster's revisions.
Without that history the informer starts now, and only the net change is reported.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from watcher import list_watch
from watcher.errors import ApiError
from watcher.inventory import Inventory, Item
from watcher.k8s_types import ResourceKind
from watcher.list_watch import (
    Bookmark,
    Change,
    Disconnected,
    ListWatchClient,
    Resource,
    Snapshot,
)
from watcher.resources import ProcessedRevisions, VersionKey

logger = logging.getLogger(__name__)
CATCH_UP_QUIET_SECONDS = 0.3
"""An open watch delivers past changes at once; after this silence they are considered complete.

This is an estimate: the API server marks no end of the past (a bookmark does so only once a
minute). If it pauses longer between past changes, later ones are applied as present changes. That
loses nothing, repeats nothing under a new number (`_has_caught_up`, `_is_behind`), and ends with
the correct state; but the changes of the two resources may no longer be in the order of the
cluster's revisions, so a version may be reported in a state made of its old Pods and its new
Deployment, or without a state that was over by then.
"""
CATCH_UP_TIMEOUT_SECONDS = 5.0
"""How long to wait for the past to reach the records; they may cover more than it contains."""
_QUEUE_SIZE = 1000
KINDS: tuple[ResourceKind, ResourceKind] = ("deployments", "pods")

StreamEvent = Snapshot[Item] | Change[Item] | Bookmark | Disconnected


class Handler(Protocol):
    """Receives the informer's notifications."""

    def on_version(self, key: VersionKey) -> None:
        """Handle a possible change of a version's status; must not block."""
        ...

    def on_stream_event(self, kind: ResourceKind, event: StreamEvent) -> None:
        """Handle an event of a stream, or its disconnection."""
        ...

    async def wait_for_capacity(self) -> None:
        """Return when more can be processed. Until then changes wait in the API server."""
        ...


class VersionInformer:
    """Follow both resources forever. `synced` is set when the inventory is current."""

    def __init__(
        self,
        client: ListWatchClient,
        resources: Mapping[ResourceKind, Resource[Item]],
        handler: Handler,
        recorded: Mapping[VersionKey, ProcessedRevisions] | None = None,
    ) -> None:
        """`recorded`: the revisions that the record of each version covers."""
        self.inventory = Inventory()
        self.synced = asyncio.Event()
        self._disconnected: set[ResourceKind] = set()
        self._client = client
        self._resources = resources
        self._handler = handler
        self._recorded = recorded or {}
        self._revisions: dict[ResourceKind, int] = {}
        self._processed: dict[VersionKey, ProcessedRevisions] = {}
        self._behind: set[VersionKey] = set()
        self._timers: dict[VersionKey, asyncio.TimerHandle] = {}
        self._queue: asyncio.Queue[tuple[ResourceKind, StreamEvent]] = asyncio.Queue(_QUEUE_SIZE)

    @property
    def revision(self) -> int | None:
        """The revision up to which everything is applied; None before the first sync."""
        return min(self._revisions.values()) if self.synced.is_set() else None

    @property
    def replay_revision(self) -> int:
        """The revision from which a watch delivers the current change again."""
        return min(self._revisions.values(), default=1) - 1

    def processed(self, key: VersionKey) -> ProcessedRevisions:
        """Return the revisions up to which the changes of a version are applied."""
        return self._processed.get(key, ProcessedRevisions())

    async def run(self, since: int | None = None) -> None:
        """Follow both resources, from the revision `since` if the API server still has it."""
        since = await self._resume(since)
        if since is None:  # no past change is delivered again
            self._recorded = dict.fromkeys(self._recorded, ProcessedRevisions())
        try:
            async with asyncio.TaskGroup() as group:
                for kind in KINDS:
                    group.create_task(self._pump(kind, since))
                await (self._catch_up(since) if since is not None else self._apply_first_lists())
                self._set_synced()
                while True:
                    kind, event = await self._queue.get()
                    for key in {*self._apply(kind, event), *self._behind}:
                        self._notify(key)
                    await self._handler.wait_for_capacity()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _resume(self, since: int | None) -> int | None:
        if since is None:
            return None
        try:
            snapshots = [
                await list_watch.list_all(self._client, self._resources[kind], since)
                for kind in KINDS
            ]
        except ApiError as error:
            logger.warning("not resumed at %d, reporting the net change: %s", since, error)
            return None
        for kind, snapshot in zip(KINDS, snapshots, strict=True):
            self.inventory.replace(kind, snapshot.items)
            self._revisions[kind] = since
        return since

    async def _pump(self, kind: ResourceKind, since: int | None) -> None:
        async for event in list_watch.infinite_watch(self._client, self._resources[kind], since):
            await self._queue.put((kind, event))

    async def _apply_first_lists(self) -> None:
        """Apply both lists: without its Pods, a crashing version would look like Progressing."""
        while set(KINDS) - self._revisions.keys():
            self._apply(*await self._queue.get())

    async def _catch_up(self, since: int) -> None:
        """Apply the changes from `since` until now, in the order of their revisions."""
        past: list[tuple[ResourceKind, Change[Item]]] = []
        silent = set(KINDS)  # one of them may answer much later than the other
        waited = 0.0
        while True:
            try:
                # not wait_for: until Python 3.12 it may swallow a cancellation
                async with asyncio.timeout(CATCH_UP_QUIET_SECONDS):
                    kind, event = await self._queue.get()
            except TimeoutError:
                waited += CATCH_UP_QUIET_SECONDS
                if not (self._disconnected or silent) and (
                    self._has_caught_up(past, since) or waited > CATCH_UP_TIMEOUT_SECONDS
                ):
                    break
                continue
            if not isinstance(event, Disconnected):
                silent.discard(kind)
            if isinstance(event, Change):
                self._disconnected.discard(kind)
                past.append((kind, event))
            else:
                if isinstance(event, Snapshot):
                    past = [entry for entry in past if entry[0] != kind]
                self._apply(kind, event)
        self._apply_past(past, since)

    def _apply_past(self, past: list[tuple[ResourceKind, Change[Item]]], since: int) -> None:
        recorded = [entry for entry in past if self._is_recorded(*entry)]
        for kind, change in recorded:
            self._apply(kind, change)
        unrecorded = (entry for entry in past if not self._is_recorded(*entry))
        for kind, change in sorted(unrecorded, key=lambda entry: entry[1].revision):
            for key in self._apply(kind, change):
                self._notify(key)
        logger.info(
            "resumed at %d: %d changes since, %d of them recorded", since, len(past), len(recorded)
        )

    def _has_caught_up(self, past: list[tuple[ResourceKind, Change[Item]]], since: int) -> bool:
        """Return whether the watches have reached the records; nothing recorded is repeated."""
        reached = {kind: max(since, self._revisions[kind]) for kind in KINDS}
        for kind, change in past:
            reached[kind] = max(reached[kind], change.revision)
        return all(
            recorded.deployments <= reached["deployments"] and recorded.pods <= reached["pods"]
            for recorded in self._recorded.values()
        )

    def _is_behind(self, key: VersionKey) -> bool:
        """Return whether a version's record covers more than is applied here."""
        recorded = self._recorded.get(key)
        return recorded is not None and (
            recorded.deployments > self._revisions["deployments"]
            or recorded.pods > self._revisions["pods"]
        )

    def _is_recorded(self, kind: ResourceKind, change: Change[Item]) -> bool:
        recorded = self._recorded.get(change.item.key, ProcessedRevisions())
        return change.revision <= (recorded.pods if kind == "pods" else recorded.deployments)

    def _set_synced(self) -> None:
        self.synced.set()
        for key in {*self.inventory.versions(), *self._recorded}:
            self._notify(key)

    def _apply(self, kind: ResourceKind, event: StreamEvent) -> Iterable[VersionKey]:
        """Apply one event; return the versions that it changes."""
        self._handler.on_stream_event(kind, event)
        if isinstance(event, Disconnected):
            self._disconnected.add(kind)
            return ()
        self._disconnected.discard(kind)
        changed: Iterable[VersionKey] = ()
        if isinstance(event, Snapshot):
            changed = self.inventory.replace(kind, event.items)
        elif isinstance(event, Change):
            changed = (self.inventory.apply(event.item, deleted=event.deleted),)
        self._revisions[kind] = event.revision
        for key in changed:
            self._processed[key] = self.processed(key)._replace(**{kind: event.revision})
        return changed

    def _notify(self, key: VersionKey) -> None:
        """Notify the handler and schedule the next check of a version."""
        if self._is_behind(key):
            self._behind.add(key)
            return
        self._behind.discard(key)
        self._handler.on_version(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        now = time.time()
        moment = self.inventory.recheck_at(key, now)
        if moment is not None:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(moment - now + 0.01, self._notify, key)
