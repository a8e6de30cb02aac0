"""The API server in memory, over HTTP, for tests of the watcher as a process."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from tests.support.time_limits import at_most
from tests.support.watcher_cluster import Cluster
from watcher.errors import ApiError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(cluster: Cluster) -> web.Application:
    app = web.Application(middlewares=[_errors_as_status])

    async def list_or_watch(request: web.Request) -> web.StreamResponse:
        query = request.query
        selector = query.get("labelSelector", "")
        if query.get("watch") == "1":
            return await _stream_watch(cluster, request, selector)
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

    async def get_object(request: web.Request) -> web.StreamResponse:
        body = await cluster.get(request.path)
        return web.Response(status=404) if body is None else _body(body)

    async def create_object(request: web.Request) -> web.StreamResponse:
        return _body(await cluster.create(request.path, await request.json()))

    async def patch_object(request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/merge-patch+json"
        return _body(await cluster.patch(request.path, await request.json()))

    async def delete_object(request: web.Request) -> web.StreamResponse:
        preconditions = (await request.json())["preconditions"]
        await cluster.remove(request.path, int(preconditions["resourceVersion"]))
        return _json({"kind": "Status", "status": "Success"})

    lists = "/{api:api|apis}/{path:.*}/{kind:deployments|pods|leases|traefikservices|ingressroutes}"
    app.router.add_get(lists, list_or_watch)
    app.router.add_post(lists, create_object)
    app.router.add_get(lists + "/{name}", get_object)
    app.router.add_patch(lists + "/{name}", patch_object)
    app.router.add_delete(lists + "/{name}", delete_object)
    return app


async def _stream_watch(
    cluster: Cluster, request: web.Request, selector: str
) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    since = int(request.query["resourceVersion"])
    try:
        async for event in cluster.watch(request.path, selector, since):
            await response.write(msgspec.json.encode(event) + b"\n")
    except ApiError as error:
        status = {"type": "ERROR", "object": {"code": error.status, "message": str(error)}}
        if error.status:
            await response.write(msgspec.json.encode(status) + b"\n")
    return response


@web.middleware
async def _errors_as_status(request: web.Request, handler: Handler) -> web.StreamResponse:
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
    """Serve a cluster on a free port while the block runs."""

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
        async with asyncio.timeout(at_most(5)):
            await self._runner.cleanup()
