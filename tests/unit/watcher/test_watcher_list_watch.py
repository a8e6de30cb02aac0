"""List and watch with literal streams of events."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from watcher import k8s_types, list_watch
from watcher.errors import ApiError
from watcher.kube_client import Page
from watcher.list_watch import Bookmark, Change, Disconnected, Resource, Snapshot

Script = list[list[dict[str, object]] | ApiError]


def item(name: str, revision: int) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(revision)}}


def watch_line(kind: str, name: str, revision: int) -> dict[str, object]:
    return {"type": kind, "object": item(name, revision)}


class Scripted:
    """An API server with scripted responses to each list and each watch."""

    def __init__(self, lists: Script, watches: Script) -> None:
        self.lists, self.watches = lists, watches
        self.requests: list[str] = []

    async def pages(self, path: str, selector: str, at: int | None = None) -> AsyncIterator[Page]:
        self.requests.append("list")
        response = self.lists.pop(0)
        if isinstance(response, ApiError):
            raise response
        for item_data in response:  # a page each
            yield Page([msgspec.Raw(msgspec.json.encode(item_data))], 100)
        if not response:
            yield Page([], 100)

    async def watch(
        self, path: str, selector: str, since: int
    ) -> AsyncIterator[k8s_types.WatchEvent]:
        self.requests.append(f"watch {since}")
        if not self.watches:
            await asyncio.Event().wait()
        response = self.watches.pop(0)
        if isinstance(response, ApiError):
            raise response
        for event in response:
            kind, item_data = str(event["type"]), event["object"]
            yield k8s_types.WatchEvent(kind, msgspec.Raw(msgspec.json.encode(item_data)))


def parse_name(data: msgspec.Raw) -> str | None:
    name = msgspec.json.decode(data, type=k8s_types.MetadataOnly).metadata.name
    if name == "broken":
        raise ValueError("no such thing")
    return name


RESOURCE: Resource[str] = Resource("things", "/things", "all", parse_name)


def collect(source: Scripted, number: int, since: int | None = None) -> list[object]:
    async def scenario() -> list[object]:
        collected: list[object] = []
        async with asyncio.timeout(5):
            async for event in list_watch.infinite_watch(source, RESOURCE, since):
                collected.append(event)
                if len(collected) == number:
                    break
        return collected

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def back_off(_attempt: int) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(list_watch, "back_off", back_off)
    monkeypatch.setattr(list_watch, "MISSING_RESOURCE_RETRY_SECONDS", 0)


def test_list_of_several_pages_is_followed_by_changes() -> None:
    source = Scripted(
        [[item("a", 1), item("b", 2)]],
        [
            [
                watch_line("ADDED", "c", 101),
                watch_line("MODIFIED", "a", 102),
                watch_line("DELETED", "b", 103),
            ]
        ],
    )
    assert collect(source, 4) == [
        Snapshot(["a", "b"], 100),
        Change("c", False, 101),
        Change("a", False, 102),
        Change("b", True, 103),
    ]
    assert source.requests == ["list", "watch 100"]


def test_ended_watch_resumes_after_last_event_or_bookmark() -> None:
    source = Scripted(
        [[]],
        [
            [watch_line("ADDED", "a", 101)],
            [watch_line("BOOKMARK", "", 150)],
            [watch_line("ADDED", "b", 151)],
        ],
    )
    collected = collect(source, 4)
    assert collected[1:] == [Change("a", False, 101), Bookmark(150), Change("b", False, 151)]
    assert source.requests == ["list", "watch 100", "watch 101", "watch 150"]


@pytest.mark.parametrize("in_watch", [True, False])
def test_expired_history_is_listed_again(in_watch: bool) -> None:
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    first: list[dict[str, object]] | ApiError = [expired] if in_watch else ApiError(410, "too old")
    source = Scripted([[item("a", 1)], [item("b", 2)]], [first])
    assert collect(source, 2) == [Snapshot(["a"], 100), Snapshot(["b"], 100)]
    assert source.requests == ["list", "watch 100", "list"]


def test_broken_watch_reports_disconnection_and_resumes_without_list() -> None:
    source = Scripted(
        [[]], [ApiError(0, "reset"), ApiError(0, "refused"), [watch_line("ADDED", "a", 101)]]
    )
    assert collect(source, 4) == [
        Snapshot([], 100),
        Disconnected("reset"),
        Disconnected("refused"),
        Change("a", False, 101),
    ]
    assert source.requests == ["list", "watch 100", "watch 100", "watch 100"]


def test_other_watch_error_resumes_without_list() -> None:
    failure = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "oh"}}
    source = Scripted(
        [[]], [[watch_line("ADDED", "a", 101), failure], [watch_line("ADDED", "b", 102)]]
    )
    assert collect(source, 4)[1:] == [
        Change("a", False, 101),
        Disconnected("oh"),
        Change("b", False, 102),
    ]
    assert source.requests == ["list", "watch 100", "watch 101"]


def test_unknown_event_types_and_invalid_objects_are_ignored() -> None:
    source = Scripted(
        [[item("broken", 1), item("a", 2)]],
        [
            [
                watch_line("TELEPORTED", "a", 101),
                watch_line("ADDED", "broken", 102),
                watch_line("ADDED", "b", 103),
            ]
        ],
    )
    assert collect(source, 3) == [Snapshot(["a"], 100), Bookmark(102), Change("b", False, 103)]


def test_list_is_retried_while_api_server_is_unavailable() -> None:
    source = Scripted([ApiError(0, "refused"), ApiError(503, "starting"), [item("a", 1)]], [])
    assert collect(source, 3) == [
        Disconnected("refused"),
        Disconnected("starting"),
        Snapshot(["a"], 100),
    ]


def test_missing_resource_type_is_empty_until_it_exists() -> None:
    source = Scripted([ApiError(404, "no such kind"), [item("a", 1)]], [])
    assert collect(source, 3) == [
        Disconnected("no such kind"),
        Snapshot([], 0),
        Snapshot(["a"], 100),
    ]


def test_watch_from_revision_needs_no_list() -> None:
    source = Scripted([], [[watch_line("DELETED", "a", 58)]])
    assert collect(source, 1, since=57) == [Change("a", True, 58)]
    assert source.requests == ["watch 57"]
