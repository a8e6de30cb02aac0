"""Health and metrics, on a separate port that is not reachable from outside the cluster."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from watcher import metrics
from watcher.cache import StatusCache


def create_app(cache: StatusCache, is_ready: Callable[[], bool]) -> web.Application:
    """Serve `/health/live`, `/health/ready` and `/metrics`.

    Live: the event loop responds. Ready: the first lists are loaded; this stays true while the API
    server is unavailable.
    """

    async def get_liveness(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def get_readiness(_request: web.Request) -> web.Response:
        if is_ready():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "the watcher is still loading"}, status=503)

    async def get_metrics(_request: web.Request) -> web.Response:
        metrics.VERSIONS.clear()
        for state, number in cache.counts().items():
            metrics.VERSIONS.labels(state).set(number)
        metrics.STALE.set(bool(cache.stale_streams))
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/health/live", get_liveness)
    app.router.add_get("/health/ready", get_readiness)
    app.router.add_get("/metrics", get_metrics)
    return app
