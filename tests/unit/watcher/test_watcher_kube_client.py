"""The client of the API server: pages, long lines, idle watches, tokens, errors."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support import watcher_objects
from tests.support.watcher_cluster import DEPLOYMENTS, LEASES, Cluster
from tests.support.watcher_http import Server
from watcher import kube_client as module
from watcher import resources
from watcher.errors import ApiError, ConflictError
from watcher.kube_client import KubeClient
from watcher.settings import ApiServer

HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def with_cluster(scenario: Callable[[KubeClient, Cluster], Awaitable[None]]) -> None:
    async def run() -> None:
        cluster = Cluster()
        async with (
            Server(cluster) as server,
            KubeClient(ApiServer(server.url, None, None)) as client,
        ):
            await scenario(client, cluster)

    asyncio.run(run())


def with_handler(
    handler: HttpHandler, scenario: Callable[[KubeClient], Awaitable[None]], token: Path | None
) -> None:
    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        async with TestServer(app) as server:
            api_server = ApiServer(str(server.make_url("")).rstrip("/"), token, None)
            async with KubeClient(api_server) as client:
                await scenario(client)

    asyncio.run(run())


def test_pages_of_long_list_have_one_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)

    async def scenario(client: KubeClient, cluster: Cluster) -> None:
        for number in range(1, 6):
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(version=f"v{number}"))
        moment = cluster.revision
        sizes = []
        async for page in client.pages(DEPLOYMENTS, resources.MODEL_SELECTOR):
            sizes.append(len(page.items))
            assert page.revision == moment
            cluster.put(DEPLOYMENTS, watcher_objects.deployment(version=f"v{10 + len(sizes)}"))
        assert sizes == [2, 2, 1]
        past = [
            len(page.items) async for page in client.pages(DEPLOYMENTS, "", revision=moment - 3)
        ]
        assert past == [2]

    with_cluster(scenario)


def test_write_with_old_resource_version_raises_conflict() -> None:
    async def scenario(client: KubeClient, cluster: Cluster) -> None:
        body = {"metadata": {"name": "one"}}
        await client.create(LEASES, body)
        with pytest.raises(ConflictError):
            await client.create(LEASES, body)
        change = {"metadata": {"resourceVersion": str(cluster.revision), "labels": {"a": "b"}}}
        await client.patch(f"{LEASES}/one", change)
        with pytest.raises(ConflictError):
            await client.patch(f"{LEASES}/one", change)
        assert await client.get(f"{LEASES}/none") is None

    with_cluster(scenario)


def test_watch_delivers_object_larger_than_buffer() -> None:
    async def scenario(client: KubeClient, cluster: Cluster) -> None:
        large = watcher_objects.deployment()
        large["metadata"]["annotations"]["large"] = "x" * 300_000  # type: ignore[index]
        cluster.put(DEPLOYMENTS, large)
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(version="v2"))
        received = []
        async for event in client.watch(DEPLOYMENTS, resources.MODEL_SELECTOR, 1000):
            received.append(resources.parse_deployment(event.object))
            if len(received) == 4:  # after two bookmarks
                break
        assert [event.key.version for event in received if event is not None] == ["v1", "v2"]

    with_cluster(scenario)


def test_idle_watch_ends_without_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The resource may have no changes; the next watch shows whether the API server is up."""
    monkeypatch.setattr(module, "WATCH_IDLE_TIMEOUT_SECONDS", 0.1)

    async def never_answer(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await asyncio.sleep(5)
        return answer

    async def scenario(client: KubeClient) -> None:
        async with asyncio.timeout(3):
            received = [event.type async for event in client.watch("/things", "", 1)]
        assert received == ["BOOKMARK"]

    with_handler(never_answer, scenario, None)


def test_unanswered_watch_raises_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.WATCH_IDLE_TIMEOUT_SECONDS + module.WATCH_OPEN_TIMEOUT_SECONDS < 90
    monkeypatch.setattr(module, "WATCH_OPEN_TIMEOUT_SECONDS", 0.1)

    async def never_answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async def scenario(client: KubeClient) -> None:
        async with asyncio.timeout(3):
            with pytest.raises(ApiError, match="failed"):
                await anext(client.watch("/things", "", 1))

    with_handler(never_answer, scenario, None)


def test_renewed_token_is_sent_and_not_in_errors(tmp_path: Path) -> None:
    authorizations: list[str | None] = []

    async def refuse(request: web.Request) -> web.StreamResponse:
        authorizations.append(request.headers.get("Authorization"))
        return web.json_response({"kind": "Status", "message": "no such right"}, status=403)

    token = tmp_path / "token"

    async def scenario(client: KubeClient) -> None:
        for text in ("first", "second"):
            token.write_text(text + "\n")
            with pytest.raises(ApiError, match="403 no such right") as raised:
                await client.get("/things/one")
            assert text not in str(raised.value)
        assert authorizations == ["Bearer first", "Bearer second"]

    with_handler(refuse, scenario, token)


@pytest.mark.parametrize("body", ["<html>", '{"metadata": 3}'])
def test_response_that_is_not_a_list_raises_api_error(body: str) -> None:
    async def answer_garbage(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    async def scenario(client: KubeClient) -> None:
        with pytest.raises(ApiError, match="not a list"):
            await anext(client.pages("/things", ""))

    with_handler(answer_garbage, scenario, None)


def test_refused_connection_raises_api_error() -> None:
    async def scenario() -> None:
        async with KubeClient(ApiServer("http://127.0.0.1:9", None, None)) as client:
            with pytest.raises(ApiError) as raised:
                await client.get("/things/one")
            assert raised.value.status == 0

    asyncio.run(scenario())
