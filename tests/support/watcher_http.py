"""The API server in memory, over HTTP, for tests of the watcher as a process."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from tests.support.watcher_cluster import Cluster
from watcher.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(cluster: Cluster) -> web.Application:
    made = web.Application(middlewares=[_refusals])

    async def listed(request: web.Request) -> web.StreamResponse:
        query = request.query
        selector = query.get("labelSelector", "")
        if query.get("watch") == "1":
            return await _watched(cluster, request, selector)
        at = query.get("resourceVersion")
        moment, _, start = query.get("continue", "").partition(".")
        at = moment or at
        limit = int(query["limit"])
        async for page in cluster.pages(request.path, selector, int(at) if at else None):
            first = int(start or 0)
            more = f"{page.revision}.{first + limit}" if len(page.items) > first + limit else ""
            return _json(
                {
                    "metadata": {"resourceVersion": str(page.revision), "continue": more},
                    "items": page.items[first : first + limit],
                }
            )
        raise AssertionError

    async def got(request: web.Request) -> web.StreamResponse:
        found = await cluster.get(request.path)
        return web.Response(status=404) if found is None else _body(found)

    async def created(request: web.Request) -> web.StreamResponse:
        return _body(await cluster.create(request.path, await request.json()))

    async def patched(request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/merge-patch+json"
        return _body(await cluster.patch(request.path, await request.json()))

    lists = "/{api:api|apis}/{path:.*}/{kind:deployments|pods|leases|traefikservices|ingressroutes}"
    made.router.add_get(lists, listed)
    made.router.add_post(lists, created)
    made.router.add_get(lists + "/{name}", got)
    made.router.add_patch(lists + "/{name}", patched)
    return made


async def _watched(cluster: Cluster, request: web.Request, selector: str) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    since = int(request.query["resourceVersion"])
    try:
        async for event in cluster.watch(request.path, selector, since):
            await answer.write(msgspec.json.encode(event) + b"\n")
    except ApiError as error:
        status = {"type": "ERROR", "object": {"code": error.status, "message": str(error)}}
        if error.status:
            await answer.write(msgspec.json.encode(status) + b"\n")
    return answer


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        body = {"kind": "Status", "code": error.status, "message": str(error)}
        return web.Response(body=msgspec.json.encode(body), status=error.status or 503)


def _json(document: object) -> web.Response:
    return _body(msgspec.json.encode(document))


def _body(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


class Server:
    """Serves a cluster on a port of its own until the block ends."""

    def __init__(self, cluster: Cluster) -> None:
        self._runner = web.AppRunner(application(cluster), shutdown_timeout=0.1)
        self.url = ""

    async def __aenter__(self) -> "Server":
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(5):
            await self._runner.cleanup()
