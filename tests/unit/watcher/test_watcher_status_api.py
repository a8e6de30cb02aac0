"""The status API: documents, ETags, event stream, authorization, and unknown paths."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from tests.support import watcher_objects
from tests.support.time_limits import at_most
from watcher import events, records, resources, status_api
from watcher.auth import StatusAuth
from watcher.cache import StatusCache
from watcher.event_log import EventLog, Position
from watcher.inventory import Inventory
from watcher.list_watch import Change, Disconnected, Snapshot
from watcher.records import Record, StoredRecord
from watcher.resources import Route, VersionKey
from watcher.status_api import MAX_STREAMS_PER_CLIENT, StatusApi
from watcher.transitions import State, VersionStatus

KEY = VersionKey("iris", "v1")
ClientCheck = Callable[[TestClient], Awaitable[None]]  # type: ignore[type-arg]


def stored(
    sequence: int, revision: int, key: VersionKey = KEY, state: State = State.FAILED
) -> StoredRecord:
    event = events.build_event(
        "models", key, VersionStatus("uid-1", state), None, sequence, "a time"
    )
    record = Record(
        uid="uid-1",
        state=state,
        sequence=sequence,
        confirmed=sequence - 1,
        was_available=True,
        since="2026-11-22T21:33:13.000Z",
        previous=State.AVAILABLE,
    )
    return StoredRecord(key, revision, record, (event,))


def build_cache() -> StatusCache:
    inventory = Inventory()
    cache = StatusCache()
    for item in (
        watcher_objects.deployment(available=False),
        watcher_objects.deployment(version="v10", uid="uid-10", available=True, ready=1),
    ):
        parsed = resources.parse_deployment(msgspec.json.encode(item))
        assert parsed is not None
        inventory.apply(parsed, deleted=False)
    pod = resources.parse_pod(msgspec.json.encode(watcher_objects.crash_looping()))
    assert pod is not None
    inventory.apply(pod, deleted=False)
    cache.apply_record(Snapshot([stored(3, 300)], 300))
    cache.set_inventory(inventory)
    route = Route("iris", "iris-prod", "prod", 7, {"v1": 90, "v10": 10}, failover="v1")
    cache.apply_route("traefikservices", Snapshot([route], 7))
    return cache


def check_client(
    check: ClientCheck, cache: StatusCache | None = None, token: str = "", ready: bool = True
) -> None:
    async def run() -> None:
        status = StatusApi(
            build_cache() if cache is None else cache, StatusAuth(token), lambda: ready
        )
        async with TestClient(TestServer(status.create_app())) as client:
            await check(client)

    asyncio.run(run())


def test_version_document_has_state_and_reason() -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        response = await client.get("/status/models/iris/versions/v1")
        assert response.content_type == "application/json"
        assert await response.json() == {
            "model": "iris",
            "version": "v1",
            "model_version_number": 1,
            "state": "Failed",
            "previous": "Available",
            "reason": "CrashLoopBackOff",
            "message": "container model exited with code 3 (Error), restarted 2 times; "
            "termination message: no such file: model.pkl",
            "since": "2026-11-22T21:33:13.000Z",
            "sequence": 3,
            "replicas": {"desired": 1, "ready": 0},
            "image": "r/iris@sha256:1",
            "annotations": {
                "content-hash": "92e0a666",
                "published-at": "2026-11-22T21:30:10Z",
            },
        }

    check_client(check)


def test_model_document_has_versions_by_number_and_routes() -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        model = await (await client.get("/status/models/iris")).json()
        assert [version["version"] for version in model["versions"]] == ["v10", "v1"]
        assert model["routes"] == [
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
        assert everything == {"stale_since": None, "models": [model]}

    check_client(check)


def test_etag_matches_until_content_changes() -> None:
    cache = build_cache()

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        for path in ("/status/models", "/status/models/iris", "/status/"):
            first = await client.get(path)
            etag = first.headers["ETag"]
            again = await client.get(path, headers={"If-None-Match": f'"other", {etag}'})
            assert (again.status, await again.read()) == (304, b"")
        before = (await client.get("/status/models/iris")).headers["ETag"]
        route = Route("iris", "iris-prod", "prod", 8, {"v1": 0, "v10": 100})
        cache.apply_route("traefikservices", Change(route, False, 8))
        after = await client.get("/status/models/iris", headers={"If-None-Match": before})
        assert (after.status, after.headers["ETag"] != before) == (200, True)

    check_client(check, cache)


def test_status_is_marked_stale_while_stream_is_disconnected() -> None:
    cache = build_cache()
    cache.set_stream_state("pods", Disconnected("reset"))

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        response = await client.get("/status/models/iris")
        assert response.status == 200
        assert "X-Status-Stale-Since" in response.headers
        assert (await (await client.get("/status/models")).json())["stale_since"] is not None
        cache.set_stream_state("pods", Snapshot([], 1))
        assert (await (await client.get("/status/models")).json())["stale_since"] is None

    check_client(check, cache)


async def frames(response: ClientResponse, number: int) -> list[str]:
    async with asyncio.timeout(3):
        return [(await response.content.readuntil(b"\n\n")).decode().strip() for _ in range(number)]


def test_event_stream_starts_now_and_resumes_after_last_event() -> None:
    cache = build_cache()

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        live = await client.get("/status/events")
        assert live.content_type == "text/event-stream"
        assert await frames(live, 1) == ["retry: 2000\nid: 300.3"]
        cache.apply_record(Change(stored(4, 310), False, 310))
        cache.apply_record(Change(stored(5, 320), False, 320))
        four, five = await frames(live, 2)
        assert four.startswith("id: 310.4\nevent: transition\ndata: {")
        assert '"id":"uid-1-5"' in five
        live.close()
        for position in ("310.4", "uid-1-4"):
            resumed = await client.get("/status/events", headers={"Last-Event-ID": position})
            assert (await frames(resumed, 2))[1] == five
            resumed.close()

    check_client(check, cache)


@pytest.mark.parametrize("last_id", ["99999999999.0", "301", "1" * 20])
def test_position_beyond_end_resumes_at_end(last_id: str) -> None:
    cache = build_cache()

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        stream = await client.get("/status/events", headers={"Last-Event-ID": last_id})
        assert await frames(stream, 1) == ["retry: 2000\nid: 300.3"]
        cache.apply_record(Change(stored(4, 310), False, 310))
        (event,) = await frames(stream, 1)
        assert event.startswith("id: 310.4\n")
        stream.close()

    check_client(check, cache)


@pytest.mark.parametrize("last_id", ["9" * 5000, "\u0663", "1.x", "-1"])
def test_text_that_is_no_position_starts_with_last_events(last_id: str) -> None:
    assert Position.parse(last_id) is None

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        stream = await client.get("/status/events", params={"lastEventId": last_id})
        assert stream.status == 200
        first, event = await frames(stream, 2)
        assert first == "retry: 2000\nid: 0.0"
        assert event.startswith("id: 300.3\n")
        stream.close()

    check_client(check)


def test_streams_are_limited_per_client() -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        many = {"X-Real-Ip": "192.0.2.1"}
        streams = [
            await client.get("/status/events", headers=many) for _ in range(MAX_STREAMS_PER_CLIENT)
        ]
        refused = await client.get("/status/events", headers=many)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        unrelated_client = await client.get("/status/events", headers={"X-Real-Ip": "192.0.2.2"})
        assert unrelated_client.status == 200
        for stream in (*streams, unrelated_client):
            stream.close()

    check_client(check)


def test_stream_ends_after_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_api, "STREAM_SECONDS", 0.05)

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        stream = await client.get("/status/events")
        assert (await stream.read()).startswith(b"retry: 2000")

    check_client(check)


@pytest.mark.parametrize("blanks", [" " * 7000, "\t" * 7000, ", " * 3500, 'W/"a" , ' * 800])
def test_long_etag_header_is_parsed_fast(blanks: str) -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        started = time.perf_counter()
        for _ in range(10):
            response = await client.get(
                "/status/models", headers={"If-None-Match": f'"a"{blanks}"b"'}
            )
            assert response.status == 200
        assert time.perf_counter() - started < at_most(0.5)

    check_client(check)


def test_position_before_log_returns_last_event_of_each_version() -> None:
    log = EventLog(max_events=2)
    wine = VersionKey("wine", "v1")
    log.append(stored(1, 100), initial=True)
    log.append(stored(1, 101, wine), initial=True)
    for sequence in range(2, 6):
        log.append(stored(sequence, 200 + sequence))
    position = log.find("uid-1-1")
    assert position is not None
    ids = [
        (str(entry.position), entry.event.routing_key)
        for entry in log.after(position._replace(revision=99))
    ]
    assert ids == [
        ("101.1", "wine.v1.failed"),
        ("204.4", "iris.v1.failed"),
        ("205.5", "iris.v1.failed"),
    ]


def test_confirmed_event_keeps_position_of_its_storage() -> None:
    record = stored(4, 330)
    confirmed = msgspec.structs.replace(record.record, confirmed=4, stored_at=310)
    log = EventLog()
    log.append(msgspec.structs.replace(record, record=confirmed), initial=True)
    assert str(log.end) == "310.4"


@pytest.mark.parametrize(
    ("authorization", "status"),
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
        ("Bearer t0k\udce9n", 401),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), 401),
    ],
)
def test_status_requires_token(authorization: str | None, status: int) -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        headers = {} if authorization is None else {"Authorization": authorization}
        for path in ("/status/models", "/status/", "/status/models/iris"):
            response = await client.get(path, headers=headers)
            assert response.status == status
            assert "t0ken" not in await response.text()
        assert (await client.get("/v2/health/ready")).status == 200

    check_client(check, token="t0ken")


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
            {
                "error_code": "ENDPOINT_NOT_FOUND",
                "message": "no such model, version or route: /models/none/prod/ping",
            },
        ),
        ("GET", "/status/models/none", 404, None),
        ("GET", "/status/models/iris/versions/v2", 404, None),
        ("POST", "/status/models", 405, {"error": "only GET is answered here"}),
        ("DELETE", "/v2", 405, {"error": "only GET is answered here"}),
    ],
)
def test_every_path_has_json_response(
    method: str, path: str, status: int, body: dict[str, object] | None
) -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        response = await client.request(method, path)
        assert (response.status, response.content_type) == (status, "application/json")
        body_received = await response.json()
        assert body is None or body_received == body

    check_client(check)


def test_unknown_domino_path_has_domino_error() -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        response = await client.post("/models/none/prod/model", json={})
        body_received = await response.json()
        assert (response.status, set(body_received)) == (404, {"requestId", "errors"})
        assert len(body_received["requestId"]) == 16

    check_client(check)


def test_status_is_unavailable_before_first_list() -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        assert (await client.get("/status/models")).status == 503
        assert (await client.get("/v2/health/ready")).status == 503

    check_client(check, ready=False)


def test_deleted_version_is_not_in_status() -> None:
    cache = build_cache()
    inventory = Inventory()
    cache.set_inventory(inventory)

    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        assert (await client.get("/status/models/iris/versions/v1")).status == 404
        body_received = await (await client.get("/status/models/iris")).json()
        assert body_received["versions"] == []

    check_client(check, cache)


def test_page_loads_nothing_from_other_hosts() -> None:
    async def check(client: TestClient) -> None:  # type: ignore[type-arg]
        for path in ("/status/", "/status/page.css", "/status/page.js"):
            response = await client.get(path)
            text = await response.text()
            assert response.status == 200
            assert "//" not in text.replace("// ", "") or "http" not in text
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        redirect = await client.get("/status", allow_redirects=False)
        assert (redirect.status, redirect.headers["Location"]) == (308, "/status/")

    check_client(check)


def test_parse_record_reads_what_build_lease_writes() -> None:
    record = stored(3, 300)
    annotations = records.to_annotations(record.record, {3: record.events[0], 2: None})
    lease = records.build_lease(KEY, annotations)
    lease["metadata"]["resourceVersion"] = "300"  # type: ignore[index]
    assert records.parse_record(msgspec.json.encode(lease)) == record
