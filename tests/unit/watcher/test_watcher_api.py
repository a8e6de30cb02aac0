"""The API server over HTTP: pages, lines of any length, silence, tokens, refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support import watcher_objects as shapes
from tests.support.watcher_cluster import DEPLOYMENTS, LEASES, Cluster
from tests.support.watcher_http import Server
from watcher import api as module
from watcher import objects
from watcher.api import Api
from watcher.errors import ApiError, ConflictError
from watcher.settings import ApiServer

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def with_cluster(story: Callable[[Api, Cluster], Awaitable[None]]) -> None:
    async def run() -> None:
        cluster = Cluster()
        async with Server(cluster) as server, Api(ApiServer(server.url, None, None)) as api:
            await story(api, cluster)

    asyncio.run(run())


def with_answer(
    answer: Answer, story: Callable[[Api], Awaitable[None]], token: Path | None
) -> None:
    async def run() -> None:
        made = web.Application()
        made.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(made) as server:
            where = ApiServer(str(server.make_url("")).rstrip("/"), token, None)
            async with Api(where) as api:
                await story(api)

    asyncio.run(run())


def test_a_long_list_comes_in_pages_true_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)

    async def story(api: Api, cluster: Cluster) -> None:
        for number in range(1, 6):
            cluster.put(DEPLOYMENTS, shapes.deployment(version=f"v{number}"))
        moment = cluster.revision
        sizes = []
        async for page in api.pages(DEPLOYMENTS, objects.MODELS):
            sizes.append(len(page.items))
            assert page.revision == moment
            cluster.put(DEPLOYMENTS, shapes.deployment(version=f"v{10 + len(sizes)}"))
        assert sizes == [2, 2, 1]
        past = [len(page.items) async for page in api.pages(DEPLOYMENTS, "", at=moment - 3)]
        assert past == [2]

    with_cluster(story)


def test_a_write_on_an_older_object_is_a_conflict() -> None:
    async def story(api: Api, cluster: Cluster) -> None:
        body = {"metadata": {"name": "one"}}
        await api.create(LEASES, body)
        with pytest.raises(ConflictError):
            await api.create(LEASES, body)
        changed = {"metadata": {"resourceVersion": str(cluster.revision), "labels": {"a": "b"}}}
        await api.patch(f"{LEASES}/one", changed)
        with pytest.raises(ConflictError):
            await api.patch(f"{LEASES}/one", changed)
        assert await api.get(f"{LEASES}/none") is None

    with_cluster(story)


def test_an_object_larger_than_any_buffer_is_one_line() -> None:
    async def story(api: Api, cluster: Cluster) -> None:
        large = shapes.deployment()
        large["metadata"]["annotations"]["large"] = "x" * 300_000  # type: ignore[index]
        cluster.put(DEPLOYMENTS, large)
        cluster.put(DEPLOYMENTS, shapes.deployment(version="v2"))
        found = []
        async for event in api.watch(DEPLOYMENTS, objects.MODELS, 1000):
            found.append(objects.deployment(event.object))
            if len(found) == 4:  # after two bookmarks
                break
        assert [one.key.version for one in found if one is not None] == ["v1", "v2"]

    with_cluster(story)


def test_a_watch_that_falls_silent_ends_without_a_complaint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody may have changed anything: whether the API server is there shows the next one."""
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.1)

    async def silence(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await asyncio.sleep(5)
        return answer

    async def story(api: Api) -> None:
        async with asyncio.timeout(3):
            found = [one.type async for one in api.watch("/things", "", 1)]
        assert found == ["BOOKMARK"]

    with_answer(silence, story, None)


def test_a_watch_that_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.SILENCE_SECONDS + module.OPEN_SECONDS < 90
    monkeypatch.setattr(module, "OPEN_SECONDS", 0.1)

    async def silence(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async def story(api: Api) -> None:
        async with asyncio.timeout(3):
            with pytest.raises(ApiError, match="broke"):
                await anext(api.watch("/things", "", 1))

    with_answer(silence, story, None)


def test_a_renewed_token_is_shown_and_in_no_error(tmp_path: Path) -> None:
    shown: list[str | None] = []

    async def refuse(request: web.Request) -> web.StreamResponse:
        shown.append(request.headers.get("Authorization"))
        return web.json_response({"kind": "Status", "message": "no such right"}, status=403)

    token = tmp_path / "token"

    async def story(api: Api) -> None:
        for text in ("first", "second"):
            token.write_text(text + "\n")
            with pytest.raises(ApiError, match="403 no such right") as told:
                await api.get("/things/one")
            assert text not in str(told.value)
        assert shown == ["Bearer first", "Bearer second"]

    with_answer(refuse, story, token)


@pytest.mark.parametrize("body", ["<html>", '{"metadata": 3}'])
def test_what_is_no_list_is_an_error_not_a_crash(body: str) -> None:
    async def odd(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    async def story(api: Api) -> None:
        with pytest.raises(ApiError, match="no list"):
            await anext(api.pages("/things", ""))

    with_answer(odd, story, None)


def test_nobody_there_is_an_error_of_ours() -> None:
    async def story() -> None:
        async with Api(ApiServer("http://127.0.0.1:9", None, None)) as api:
            with pytest.raises(ApiError) as told:
                await api.get("/things/one")
            assert told.value.status == 0

    asyncio.run(story())
