"""One watcher's time as the leader: what it sees becomes what it owes."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from watcher.dispatcher import Dispatcher, Sends
from watcher.following import Following, News, Observer
from watcher.inventory import Item
from watcher.journal import Journal, Owed, Store
from watcher.list_watch import Resource
from watcher.objects import Key
from watcher.raw import Kind
from watcher.transitions import Known, between


class Term:
    """Follows from where the term before is known to have got, and tells every transition."""

    def __init__(
        self,
        api: Store,
        namespace: str,
        resources: Mapping[Kind, Resource[Item]],
        publisher: Sends,
        status: Observer,
    ) -> None:
        """Nothing is read before `run`. `status` sees all that this term sees."""
        self._journal = Journal(api, namespace)
        self._dispatcher = Dispatcher(self._journal, publisher)
        self._api = api
        self._resources = resources
        self._status = status
        self._known: dict[Key, Known] = {}
        self.following: Following | None = None
        self.started = asyncio.Event()

    @property
    def position(self) -> int | None:
        """Where a next term may begin without missing anything; None: not known yet."""
        if self.following is None or self.following.revision is None:
            return None
        oldest = self._dispatcher.oldest
        reached = self.following.revision
        return reached if oldest is None else min(reached, oldest)

    async def run(self, since: int | None) -> None:
        """Lead until cancelled. Raises ApiError, ForeignWriteError or FatalError."""
        await self._journal.load()
        records = self._journal.all()
        self._known = {key: record.known for key, record in records.items()}
        told = {key: record.seen for key, record in records.items()}
        self.following = Following(self._api, self._resources, self, told)
        for key, record in records.items():
            if record.was_available:
                self.following.inventory.remember_available(key, record.uid)
        self.started.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._dispatcher.run())
            group.create_task(self.following.run(since))

    def observe(self, key: Key) -> None:
        """Owe what became of a version."""
        self._status.observe(key)
        if self.following is None:
            return
        inventory = self.following.inventory
        now = time.time()
        standing = inventory.standing(key, now)
        for owed in between(self._known.get(key), standing):
            self._known[key] = Known(owed.uid, owed.state, owed.image)
            self._dispatcher.submit(
                key,
                Owed(
                    standing=owed,
                    was_available=standing is not None
                    and owed.uid == standing.uid
                    and inventory.was_available(key),
                    seen=self.following.seen(key),
                    revision=self.following.before,
                    time=_rfc3339(now),
                    began=time.monotonic(),
                ),
            )

    def heard(self, kind: Kind, one: News) -> None:
        """Owes nothing; only the status tells whether it may be old."""
        self._status.heard(kind, one)

    async def room(self) -> None:
        """Return once the dispatcher can take more."""
        await self._dispatcher.room()


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
