"""The status over HTTP: documents, ETags, the stream, access, and what no model answers."""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from tests.support import watcher_objects as shapes
from watcher import events, objects, records
from watcher.access import Access
from watcher.cache import Cache
from watcher.event_log import EventLog
from watcher.inventory import Inventory
from watcher.list_watch import Change, Interrupted, Snapshot
from watcher.objects import Key, Route
from watcher.records import Record, Stored
from watcher.status import Status
from watcher.transitions import Standing, State

KEY = Key("iris", "v1")
Talk = Callable[[TestClient], Awaitable[None]]  # type: ignore[type-arg]


def stored(sequence: int, revision: int, key: Key = KEY, state: State = State.FAILED) -> Stored:
    event = events.event("models", key, Standing("uid-1", state), None, sequence, "a time")
    record = Record(
        uid="uid-1",
        state=state,
        sequence=sequence,
        confirmed=sequence - 1,
        was_available=True,
        since="2026-11-22T21:33:13.000Z",
        previous=State.AVAILABLE,
    )
    return Stored(key, revision, record, (event,))


def cache() -> Cache:
    inventory = Inventory()
    made = Cache()
    for item in (
        shapes.deployment(available=False),
        shapes.deployment(version="v10", uid="uid-10", available=True, ready=1),
    ):
        parsed = objects.deployment(msgspec.json.encode(item))
        assert parsed is not None
        inventory.apply(parsed, gone=False)
    pod = objects.pod(msgspec.json.encode(shapes.crash_looping()))
    assert pod is not None
    inventory.apply(pod, gone=False)
    made.take_record(Snapshot([stored(3, 300)], 300))
    made.use(inventory)
    route = Route("iris", "iris-prod", "prod", 7, {"v1": 90, "v10": 10}, failover="v1")
    made.take_route("traefikservices", Snapshot([route], 7))
    return made


def talking(talk: Talk, made: Cache | None = None, token: str = "", ready: bool = True) -> None:
    async def story() -> None:
        status = Status(cache() if made is None else made, Access(token), lambda: ready)
        async with TestClient(TestServer(status.application())) as client:
            await talk(client)

    asyncio.run(story())


def test_a_version_says_its_state_and_why() -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        answer = await client.get("/status/models/iris/versions/v1")
        assert answer.content_type == "application/json"
        assert await answer.json() == {
            "model": "iris",
            "version": "v1",
            "model_version_number": 1,
            "state": "Failed",
            "previous": "Available",
            "reason": "CrashLoopBackOff",
            "message": "container model ended with exit code 3, restarted 2 times; "
            "its last words: no such file: model.pkl",
            "since": "2026-11-22T21:33:13.000Z",
            "sequence": 3,
            "replicas": {"desired": 1, "ready": 0},
            "image": "r/iris@sha256:1",
            "annotations": {
                "content-hash": "92e0a666",
                "published-at": "2026-11-22T21:30:10Z",
            },
        }

    talking(talk)


def test_a_model_has_its_versions_by_number_and_its_routes() -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        one = await (await client.get("/status/models/iris")).json()
        assert [version["version"] for version in one["versions"]] == ["v10", "v1"]
        assert one["routes"] == [
            {
                "route": "prod",
                "path": "/models/iris/prod/",
                "weights": {"v1": 90, "v10": 10},
                "sticky": False,
                "mirror": None,
                "failover": "v1",
            }
        ]
        everything = await (await client.get("/status/models")).json()
        assert everything == {"stale_since": None, "models": [one]}

    talking(talk)


def test_an_etag_names_the_content_and_changes_with_it() -> None:
    made = cache()

    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        for path in ("/status/models", "/status/models/iris", "/status/"):
            first = await client.get(path)
            etag = first.headers["ETag"]
            again = await client.get(path, headers={"If-None-Match": f'"other", {etag}'})
            assert (again.status, await again.read()) == (304, b"")
        before = (await client.get("/status/models/iris")).headers["ETag"]
        route = Route("iris", "iris-prod", "prod", 8, {"v1": 0, "v10": 100})
        made.take_route("traefikservices", Change(route, False, 8))
        after = await client.get("/status/models/iris", headers={"If-None-Match": before})
        assert (after.status, after.headers["ETag"] != before) == (200, True)

    talking(talk, made)


def test_a_status_that_may_be_old_says_so() -> None:
    made = cache()
    made.heard("pods", Interrupted("reset"))

    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        answer = await client.get("/status/models/iris")
        assert answer.status == 200
        assert "X-Status-Stale-Since" in answer.headers
        assert (await (await client.get("/status/models")).json())["stale_since"] is not None
        made.heard("pods", Snapshot([], 1))
        assert (await (await client.get("/status/models")).json())["stale_since"] is None

    talking(talk, made)


async def frames(answer: ClientResponse, number: int) -> list[str]:
    async with asyncio.timeout(3):
        return [(await answer.content.readuntil(b"\n\n")).decode().strip() for _ in range(number)]


def test_the_stream_begins_now_and_resumes_where_a_client_was() -> None:
    made = cache()

    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        live = await client.get("/status/events")
        assert live.content_type == "text/event-stream"
        assert await frames(live, 1) == ["retry: 2000\nid: 300.3"]
        made.take_record(Change(stored(4, 310), False, 310))
        made.take_record(Change(stored(5, 320), False, 320))
        four, five = await frames(live, 2)
        assert four.startswith("id: 310.4\nevent: transition\ndata: {")
        assert '"id":"uid-1-5"' in five
        live.close()
        for place in ("310.4", "uid-1-4"):
            resumed = await client.get("/status/events", headers={"Last-Event-ID": place})
            assert (await frames(resumed, 2))[1] == five
            resumed.close()

    talking(talk, made)


def test_a_place_older_than_the_log_gives_the_last_event_of_each_version() -> None:
    log = EventLog(kept=2)
    other = Key("wine", "v1")
    log.take(stored(1, 100), first=True)
    log.take(stored(1, 101, other), first=True)
    for sequence in range(2, 6):
        log.take(stored(sequence, 200 + sequence))
    place = log.find("uid-1-1")
    assert place is not None
    ids = [
        (str(one.position), one.event.routing_key) for one in log.after(place._replace(revision=99))
    ]
    assert ids == [
        ("101.1", "wine.v1.failed"),
        ("204.4", "iris.v1.failed"),
        ("205.5", "iris.v1.failed"),
    ]


def test_a_confirmed_event_keeps_the_place_at_which_it_was_stored() -> None:
    one = stored(4, 330)
    confirmed = msgspec.structs.replace(one.record, confirmed=4, stored_at=310)
    log = EventLog()
    log.take(msgspec.structs.replace(one, record=confirmed), first=True)
    assert str(log.end) == "310.4"


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (None, 401),
        ("Bearer t0ken", 200),
        ("bearer t0ken", 200),
        ("Bearer t0ke", 401),
        ("Bearer ", 401),
        ("t0ken", 401),
        ("Basic " + base64.b64encode(b"t0ken:t0ken").decode(), 200),
        ("Basic " + base64.b64encode(b"t0ken:other").decode(), 401),
        ("Basic " + base64.b64encode(b"other:t0ken").decode(), 401),
        ("Basic !!!", 401),
    ],
)
def test_a_token_opens_the_status_and_nothing_else_does(shown: str | None, status: int) -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        headers = {} if shown is None else {"Authorization": shown}
        for path in ("/status/models", "/status/", "/status/models/iris"):
            answer = await client.get(path, headers=headers)
            assert answer.status == status
            assert "t0ken" not in await answer.text()
        assert (await client.get("/v2/health/ready")).status == 200

    talking(talk, token="t0ken")


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v2", 200, {"name": "model-deployment", "version": "2", "extensions": []}),
        ("GET", "/v2/health/live", 200, {"live": True}),
        ("GET", "/v2/health/ready", 200, {"ready": True}),
        ("GET", "/nowhere", 404, {"error": "no such path: /nowhere"}),
        ("POST", "/v2/models/none/infer", 404, {"error": "no such path: /v2/models/none/infer"}),
        (
            "GET",
            "/models/none/prod/ping",
            404,
            {"error": "no such model, version or route: /models/none/prod/ping"},
        ),
        ("GET", "/status/models/none", 404, None),
        ("GET", "/status/models/iris/versions/v2", 404, None),
        ("POST", "/status/models", 405, {"error": "only GET is answered here"}),
        ("DELETE", "/v2", 405, {"error": "only GET is answered here"}),
    ],
)
def test_every_path_is_answered_in_json(
    method: str, path: str, status: int, body: dict[str, object] | None
) -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        answer = await client.request(method, path)
        assert (answer.status, answer.content_type) == (status, "application/json")
        found = await answer.json()
        assert body is None or found == body

    talking(talk)


def test_clients_of_domino_get_their_own_errors() -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        answer = await client.post("/models/none/prod/model", json={})
        found = await answer.json()
        assert (answer.status, set(found)) == (404, {"requestId", "errors"})
        assert len(found["requestId"]) == 16

    talking(talk)


def test_before_the_first_list_nothing_is_claimed() -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        assert (await client.get("/status/models")).status == 503
        assert (await client.get("/v2/health/ready")).status == 503

    talking(talk, ready=False)


def test_a_version_that_is_gone_is_no_more_in_the_status() -> None:
    made = cache()
    inventory = Inventory()
    made.use(inventory)

    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        assert (await client.get("/status/models/iris/versions/v1")).status == 404
        found = await (await client.get("/status/models/iris")).json()
        assert found["versions"] == []

    talking(talk, made)


def test_the_page_needs_nothing_from_outside() -> None:
    async def talk(client: TestClient) -> None:  # type: ignore[type-arg]
        for path in ("/status/", "/status/page.css", "/status/page.js"):
            answer = await client.get(path)
            text = await answer.text()
            assert answer.status == 200
            assert "//" not in text.replace("// ", "") or "http" not in text
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        redirect = await client.get("/status", allow_redirects=False)
        assert (redirect.status, redirect.headers["Location"]) == (308, "/status/")

    talking(talk)


def test_records_survive_their_way_through_the_cluster() -> None:
    one = stored(3, 300)
    told = records.annotations(one.record, {3: one.events[0], 2: None})
    lease = records.lease(KEY, told)
    lease["metadata"]["resourceVersion"] = "300"  # type: ignore[index]
    assert records.parse(msgspec.json.encode(lease)) == one
