"""The whole watcher in one process: streams, status, and, while it leads, a term."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web

from watcher import health, list_watch, metrics, objects, records
from watcher.access import Access
from watcher.api import Api, pause
from watcher.cache import Cache
from watcher.election import Election
from watcher.errors import ApiError, BrokerAwayError, StartupError
from watcher.following import Following, News
from watcher.inventory import Item
from watcher.journal import ForeignWriteError
from watcher.list_watch import Resource
from watcher.objects import Key, Route
from watcher.publisher import Publisher
from watcher.raw import Kind
from watcher.settings import Settings
from watcher.status import Status
from watcher.term import Term

logger = logging.getLogger(__name__)
SHUTDOWN_SECONDS = 2.0
_ROUTES = ("traefikservices", "ingressroutes")


class Program:
    """Two of these run; both serve the status, one of them publishes."""

    def __init__(self, settings: Settings, api: Api, publisher: Publisher) -> None:
        """Nothing is opened before `run`."""
        self._settings = settings
        self._api = api
        self._publisher = publisher
        self._cache = Cache()
        self._election = Election(api, settings.namespace, settings.identity)
        self._versions_in = False
        self._records_in = False

    async def run(self) -> None:
        """Serve and watch until cancelled. Raises FatalError."""
        async with (
            _serving(self._settings, self._cache, self._ready),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._probe_broker())
            for kind in _ROUTES:
                group.create_task(self._follow_routes(kind))
            group.create_task(self._follow_records())
            group.create_task(self._follow_versions())

    def _ready(self) -> bool:
        return self._versions_in and self._records_in

    async def _probe_broker(self) -> None:
        """Wrong credentials show now, not when the first event is owed; also at a follower."""
        attempt = 0
        while True:
            try:
                await self._publisher.probe()
            except BrokerAwayError:  # who has an event to send says so
                await pause(attempt)
                attempt += 1
            else:
                return

    async def _follow_routes(self, kind: str) -> None:
        path = f"/apis/traefik.io/v1alpha1/namespaces/{self._settings.namespace}/{kind}"
        resource: Resource[Route] = Resource(kind, path, objects.ROUTES, objects.route)
        async for one in list_watch.changes(self._api, resource):
            self._cache.heard(kind, one)
            self._cache.take_route(kind, one)

    async def _follow_records(self) -> None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._settings.namespace}/leases"
        resource = Resource("records", path, records.SELECTOR, records.parse)
        async for one in list_watch.changes(self._api, resource):
            self._cache.heard("records", one)
            self._cache.take_record(one)
            self._records_in = self._records_in or isinstance(one, list_watch.Snapshot)

    async def _follow_versions(self) -> None:
        """By turns a follower and a leader; what was known last is served in between."""
        attempt = 0
        while True:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow())
                await self._election.acquire()
                following.cancel()
            try:
                await self._lead()
                attempt = 0
            except* (ForeignWriteError, ApiError) as error:
                logger.warning("the term is over: %s", _first(error))
                await pause(attempt)
                attempt += 1

    async def _follow(self) -> None:
        following = Following(self._api, self._resources(), _Touches(self._cache))
        for key, stored in self._cache.records().items():
            if stored.record.was_available:
                following.inventory.remember_available(key, stored.record.uid)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve_from(following))
            group.create_task(following.run())

    async def _lead(self) -> None:
        """Until the Lease is lost."""
        term = Term(
            self._api,
            self._settings.namespace,
            self._resources(),
            self._publisher,
            _Touches(self._cache),
        )
        metrics.LEADER.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(term.run(self._election.position)),
                    group.create_task(self._serve_term(term)),
                ]
                await self._election.keep(lambda: term.position)
                logger.warning("the lease is lost")
                for task in running:
                    task.cancel()
        except asyncio.CancelledError:
            await self._election.release(term.position)
            raise
        finally:
            metrics.LEADER.set(0)

    async def _serve_term(self, term: Term) -> None:
        await term.started.wait()
        if term.following is not None:
            await self._serve_from(term.following)

    async def _serve_from(self, following: Following) -> None:
        """Answer from this inventory once it is that of the present."""
        await following.synced.wait()
        self._cache.use(following.inventory)
        self._versions_in = True

    def _resources(self) -> Mapping[Kind, Resource[Item]]:
        namespace = self._settings.namespace
        return {
            "deployments": Resource(
                "deployments",
                f"/apis/apps/v1/namespaces/{namespace}/deployments",
                objects.MODELS,
                objects.deployment,
            ),
            "pods": Resource(
                "pods", f"/api/v1/namespaces/{namespace}/pods", objects.MODELS, objects.pod
            ),
        }


class _Touches:
    """A follower's observer: it owes nothing to anybody."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def observe(self, key: Key) -> None:
        self._cache.touch(key)

    def heard(self, kind: Kind, one: News) -> None:
        self._cache.heard(kind, one)

    async def room(self) -> None:
        return


@contextlib.asynccontextmanager
async def _serving(
    settings: Settings, cache: Cache, ready: Callable[[], bool]
) -> AsyncIterator[None]:
    status = Status(cache, Access(settings.status_token), ready)
    runners = []
    try:
        for made, port in (
            (status.application(), settings.port),
            (health.application(cache, ready), settings.health_port),
        ):
            runner = web.AppRunner(made, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
            await runner.setup()
            runners.append(runner)
            try:
                await web.TCPSite(runner, settings.host, port).start()
            except OSError as error:
                message = f"cannot listen on {settings.host}:{port}: {error.strerror}"
                raise StartupError(message) from error
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def _first(error: BaseException) -> BaseException:
    """The first of errors that came together."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
