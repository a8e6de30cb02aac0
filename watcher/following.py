"""One history of the versions: Deployments and Pods, from a moment on, into an inventory.

A leader begins where its predecessor is known to have got: at that exact moment of the past, if the
API server still remembers it. Then no change is missed that happened while nobody watched. What the
records show as already told is taken in silently, the rest in the order of the cluster's own
revisions. Without that memory it begins now, and the net change is what is owed.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from watcher import list_watch
from watcher.errors import ApiError
from watcher.inventory import Inventory, Item
from watcher.list_watch import Bookmark, Change, Interrupted, Resource, Snapshot, Source
from watcher.objects import Key
from watcher.raw import Kind

logger = logging.getLogger(__name__)
QUIET_SECONDS = 0.3
"""A watch that is open tells what is past at once; after so much silence it is taken to be over.

A guess: the API server marks no end of the past here (a bookmark says so only once a minute). Where
it is wrong, for it pauses longer in the midst of the past, what comes later is taken in as of the
present. That loses nothing, repeats nothing under a new number (`_has_told`, `_is_behind`), and
ends with the truth; but the two kinds' changes are then no longer in the order of the cluster's
revisions, so a version may be told in a state made of its old Pods and its new Deployment, or
without one that was over by then.
"""
PATIENCE_SECONDS = 5.0
"""So long the past may take to come as far as the records have; they may know more than it has."""
_QUEUE = 1000
KINDS: tuple[Kind, Kind] = ("deployments", "pods")


class Seen(NamedTuple):
    """The revisions up to which a version's changes have been taken in, by kind."""

    deployments: int = 0
    pods: int = 0


class Observer(Protocol):
    """Who is told that a version may stand differently now."""

    def observe(self, key: Key) -> None:
        """Look at it; must not wait."""
        ...

    def heard(self, kind: Kind, one: "News") -> None:
        """A stream has said something, or that it is interrupted."""
        ...

    async def room(self) -> None:
        """Return once more can be taken. What waits here waits in the API server, not in memory."""
        ...


News = Snapshot[Item] | Change[Item] | Bookmark | Interrupted


class Following:
    """Follows both kinds for ever. `synced` is set once the inventory is that of the present."""

    def __init__(
        self,
        api: Source,
        resources: Mapping[Kind, Resource[Item]],
        observer: Observer,
        told: Mapping[Key, Seen] | None = None,
    ) -> None:
        """`told`: per version, what is already in its record."""
        self.inventory = Inventory()
        self.synced = asyncio.Event()
        self._interrupted: set[Kind] = set()
        self._api = api
        self._resources = resources
        self._observer = observer
        self._told = told or {}
        self._revisions: dict[Kind, int] = {}
        self._seen: dict[Key, Seen] = {}
        self._behind: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._queue: asyncio.Queue[tuple[Kind, News]] = asyncio.Queue(_QUEUE)

    @property
    def revision(self) -> int | None:
        """Everything up to here has been taken in; None: not yet known."""
        return min(self._revisions.values()) if self.synced.is_set() else None

    @property
    def before(self) -> int:
        """A watch begun here shows again what is being taken in just now."""
        return min(self._revisions.values(), default=1) - 1

    def seen(self, key: Key) -> Seen:
        """What of a version has been taken in."""
        return self._seen.get(key, Seen())

    async def run(self, since: int | None = None) -> None:
        """Follow, from the exact moment `since` if that can be had."""
        since = await self._resumed(since)
        if since is None:  # nothing of the past comes again
            self._told = dict.fromkeys(self._told, Seen())
        try:
            async with asyncio.TaskGroup() as group:
                for kind in KINDS:
                    group.create_task(self._pump(kind, since))
                await (self._catch_up(since) if since is not None else self._first_lists())
                self._synced()
                while True:
                    kind, one = await self._queue.get()
                    for key in {*self._take(kind, one), *self._behind}:
                        self._look(key)
                    await self._observer.room()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _resumed(self, since: int | None) -> int | None:
        if since is None:
            return None
        try:
            lists = [
                await list_watch.whole_list(self._api, self._resources[kind], since)
                for kind in KINDS
            ]
        except ApiError as error:
            logger.warning("not resumed at %d, the net change is told: %s", since, error)
            return None
        for kind, snapshot in zip(KINDS, lists, strict=True):
            self.inventory.replace(kind, snapshot.items)
            self._revisions[kind] = since
        return since

    async def _pump(self, kind: Kind, since: int | None) -> None:
        async for one in list_watch.changes(self._api, self._resources[kind], since):
            await self._queue.put((kind, one))

    async def _first_lists(self) -> None:
        """Without the Pods a version that crashes would look as if it progressed: both first."""
        while set(KINDS) - self._revisions.keys():
            self._take(*await self._queue.get())

    async def _catch_up(self, since: int) -> None:
        """Take in what happened from `since` until now, in the order in which it happened."""
        past: list[tuple[Kind, Change[Item]]] = []
        silent = set(KINDS)  # one of them may answer much later than the other
        waited = 0.0
        while True:
            try:
                # not wait_for: until Python 3.12 it may swallow a cancellation
                async with asyncio.timeout(QUIET_SECONDS):
                    kind, one = await self._queue.get()
            except TimeoutError:
                waited += QUIET_SECONDS
                if not (self._interrupted or silent) and (
                    self._has_told(past, since) or waited > PATIENCE_SECONDS
                ):
                    break
                continue
            if not isinstance(one, Interrupted):
                silent.discard(kind)
            if isinstance(one, Change):
                self._interrupted.discard(kind)
                past.append((kind, one))
            else:
                if isinstance(one, Snapshot):
                    past = [entry for entry in past if entry[0] != kind]
                self._take(kind, one)
        known = [entry for entry in past if self._is_told(*entry)]
        for kind, change in known:
            self._take(kind, change)
        rest = (entry for entry in past if not self._is_told(*entry))
        for kind, change in sorted(rest, key=lambda entry: entry[1].revision):
            for key in self._take(kind, change):
                self._look(key)
        logger.info(
            "resumed at %d: %d changes since, %d of them told", since, len(past), len(known)
        )

    def _has_told(self, past: list[tuple[Kind, Change[Item]]], since: int) -> bool:
        """Whether the watches have come as far as the records, of which nothing may be repeated."""
        reached = {kind: max(since, self._revisions[kind]) for kind in KINDS}
        for kind, change in past:
            reached[kind] = max(reached[kind], change.revision)
        return all(
            told.deployments <= reached["deployments"] and told.pods <= reached["pods"]
            for told in self._told.values()
        )

    def _is_behind(self, key: Key) -> bool:
        """Whether a version's record knows more of it than has been taken in here."""
        told = self._told.get(key)
        return told is not None and (
            told.deployments > self._revisions["deployments"] or told.pods > self._revisions["pods"]
        )

    def _is_told(self, kind: Kind, change: Change[Item]) -> bool:
        told = self._told.get(change.item.key, Seen())
        return change.revision <= (told.pods if kind == "pods" else told.deployments)

    def _synced(self) -> None:
        self.synced.set()
        for key in {*self.inventory.versions(), *self._told}:
            self._look(key)

    def _take(self, kind: Kind, one: News) -> Iterable[Key]:
        """Take one thing in; return the versions that it touches."""
        self._observer.heard(kind, one)
        if isinstance(one, Interrupted):
            self._interrupted.add(kind)
            return ()
        self._interrupted.discard(kind)
        touched: Iterable[Key] = ()
        if isinstance(one, Snapshot):
            touched = self.inventory.replace(kind, one.items)
        elif isinstance(one, Change):
            touched = (self.inventory.apply(one.item, gone=one.gone),)
        self._revisions[kind] = one.revision
        for key in touched:
            self._seen[key] = self.seen(key)._replace(**{kind: one.revision})
        return touched

    def _look(self, key: Key) -> None:
        if self._is_behind(key):
            self._behind.add(key)
            return
        self._behind.discard(key)
        self._observer.observe(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        now = time.time()
        due = self.inventory.due(key, now)
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(due - now + 0.01, self._look, key)
