"""Health and metrics, on a port of their own: nothing outside of the cluster reaches it."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from watcher import metrics
from watcher.cache import Cache


def application(cache: Cache, ready: Callable[[], bool]) -> web.Application:
    """`/health/live`, `/health/ready` and `/metrics`.

    Live: the loop that does everything answers. Ready: there is a status to answer from; it stays
    so while the API server is away.
    """

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readiness(_request: web.Request) -> web.Response:
        if ready():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "the first list is not in yet"}, status=503)

    async def exposition(_request: web.Request) -> web.Response:
        metrics.VERSIONS.clear()
        for state, number in cache.counts().items():
            metrics.VERSIONS.labels(state).set(number)
        metrics.STALE.set(bool(cache.stale))
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    made = web.Application()
    made.router.add_get("/health/live", live)
    made.router.add_get("/health/ready", readiness)
    made.router.add_get("/metrics", exposition)
    return made
