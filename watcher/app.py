"""The whole watcher: informers, status API, and a leader session while it holds the Lease."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web

from watcher import health, list_watch, metrics, records, resources
from watcher.auth import StatusAuth
from watcher.cache import StatusCache
from watcher.election import Election
from watcher.errors import ApiError, BrokerUnavailableError, StartupError
from watcher.informer import StreamEvent, VersionInformer
from watcher.inventory import Item
from watcher.k8s_types import ResourceKind
from watcher.kube_client import KubeClient, back_off
from watcher.leader import LeaderSession
from watcher.list_watch import Resource
from watcher.outbox import ForeignWriteError
from watcher.publisher import Publisher
from watcher.resources import Route, VersionKey
from watcher.settings import Settings
from watcher.status_api import StatusApi

logger = logging.getLogger(__name__)
SHUTDOWN_SECONDS = 2.0
_ROUTE_RESOURCES = ("traefikservices", "ingressroutes")


class Watcher:
    """One replica: each serves the status, the leader publishes events."""

    def __init__(self, settings: Settings, client: KubeClient, publisher: Publisher) -> None:
        self._settings = settings
        self._client = client
        self._publisher = publisher
        self._cache = StatusCache()
        self._election = Election(client, settings.namespace, settings.identity)
        self._versions_loaded = False
        self._records_loaded = False

    async def run(self) -> None:
        """Serve and watch until cancelled. Raises FatalError."""
        async with (
            _servers(self._settings, self._cache, self._is_ready),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._probe_broker())
            for name in _ROUTE_RESOURCES:
                group.create_task(self._watch_routes(name))
            group.create_task(self._watch_records())
            group.create_task(self._watch_versions())

    def _is_ready(self) -> bool:
        return self._versions_loaded and self._records_loaded

    async def _probe_broker(self) -> None:
        """Detect wrong credentials at the start, also at the follower, not at the first event."""
        attempt = 0
        while True:
            try:
                await self._publisher.probe()
            except BrokerUnavailableError:  # logged when there is an event to publish
                await back_off(attempt)
                attempt += 1
            else:
                return

    async def _watch_routes(self, name: str) -> None:
        path = f"/apis/traefik.io/v1alpha1/namespaces/{self._settings.namespace}/{name}"
        resource: Resource[Route] = Resource(
            name, path, resources.ROUTE_SELECTOR, resources.parse_route
        )
        async for event in list_watch.infinite_watch(self._client, resource):
            self._cache.set_stream_state(name, event)
            self._cache.apply_route(name, event)

    async def _watch_records(self) -> None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._settings.namespace}/leases"
        resource = Resource("records", path, records.SELECTOR, records.parse_record)
        async for event in list_watch.infinite_watch(self._client, resource):
            self._cache.set_stream_state("records", event)
            self._cache.apply_record(event)
            if isinstance(event, list_watch.Snapshot):
                self._records_loaded = True

    async def _watch_versions(self) -> None:
        """Follow, then lead, in turns; the last known status is served in between."""
        attempt = 0
        while True:
            async with asyncio.TaskGroup() as group:
                follower = group.create_task(self._follow())
                await self._election.acquire()
                follower.cancel()
            try:
                await self._lead()
                attempt = 0
            except* (ForeignWriteError, ApiError) as error:
                logger.warning("leader session ended: %s", _first_error(error))
                await back_off(attempt)
                attempt += 1

    async def _follow(self) -> None:
        handler = StatusObserver(self._cache)
        informer = VersionInformer(self._client, self._resources(), handler)
        for key, stored in self._cache.records().items():
            if stored.record.was_available:
                informer.inventory.mark_available(key, stored.record.uid)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve_inventory(informer))
            group.create_task(informer.run())

    async def _lead(self) -> None:
        """Publish events until the Lease is lost."""
        session = LeaderSession(
            self._client,
            self._settings.namespace,
            self._resources(),
            self._publisher,
            StatusObserver(self._cache),
        )
        metrics.LEADER.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(session.run(self._election.resume_revision)),
                    group.create_task(self._serve_session(session)),
                ]
                await self._election.renew_until_lost(lambda: session.resume_revision)
                logger.warning("lease lost: leader session ends")
                for task in tasks:
                    task.cancel()
        except asyncio.CancelledError:
            await self._election.release(session.resume_revision)
            raise
        finally:
            metrics.LEADER.set(0)

    async def _serve_session(self, session: LeaderSession) -> None:
        await session.started.wait()
        if session.informer is not None:
            await self._serve_inventory(session.informer)

    async def _serve_inventory(self, informer: VersionInformer) -> None:
        """Serve the status from this informer as soon as it is synced."""
        await informer.synced.wait()
        self._cache.set_inventory(informer.inventory)
        self._versions_loaded = True

    def _resources(self) -> Mapping[ResourceKind, Resource[Item]]:
        namespace = self._settings.namespace
        selector = resources.MODEL_SELECTOR
        deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        pods = f"/api/v1/namespaces/{namespace}/pods"
        return {
            "deployments": Resource(
                "deployments", deployments, selector, resources.parse_deployment
            ),
            "pods": Resource("pods", pods, selector, resources.parse_pod),
        }


class StatusObserver:
    """A handler that keeps the status current and publishes nothing."""

    def __init__(self, cache: StatusCache) -> None:
        self._cache = cache

    def on_version(self, key: VersionKey) -> None:
        """Mark the version as changed."""
        self._cache.mark_changed(key)

    def on_stream_event(self, kind: ResourceKind, event: StreamEvent) -> None:
        """Record whether the stream is connected."""
        self._cache.set_stream_state(kind, event)

    async def wait_for_capacity(self) -> None:
        """Return immediately: nothing is queued."""


@contextlib.asynccontextmanager
async def _servers(
    settings: Settings, cache: StatusCache, is_ready: Callable[[], bool]
) -> AsyncIterator[None]:
    """Serve the status API and the health endpoints while the block runs."""
    status_api = StatusApi(cache, StatusAuth(settings.status_token), is_ready)
    runners = []
    try:
        for app, port in (
            (status_api.create_app(), settings.port),
            (health.create_app(cache, is_ready), settings.health_port),
        ):
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
            await runner.setup()
            runners.append(runner)
            try:
                await web.TCPSite(runner, settings.host, port).start()
            except OSError as error:
                message = (
                    f"cannot listen on {settings.host}:{port}: {error.strerror}; "
                    "set WATCHER_PORT or WATCHER_HEALTH_PORT to a free port"
                )
                raise StartupError(message) from error
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def _first_error(error: BaseException) -> BaseException:
    """Return the first error of a group."""
    return _first_error(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
