"""List and watch over literal streams of events, kopf's way."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from watcher import list_watch, raw
from watcher.api import Listed
from watcher.errors import ApiError
from watcher.list_watch import Bookmark, Change, Interrupted, Resource, Snapshot

Script = list[list[dict[str, object]] | ApiError]


def item(name: str, revision: int) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(revision)}}


def line(kind: str, name: str, revision: int) -> dict[str, object]:
    return {"type": kind, "object": item(name, revision)}


class Scripted:
    """An API server that answers what it was told to, list by list and watch by watch."""

    def __init__(self, lists: Script, watches: Script) -> None:
        self.lists, self.watches = lists, watches
        self.asked: list[str] = []

    async def pages(self, path: str, selector: str, at: int | None = None) -> AsyncIterator[Listed]:
        self.asked.append("list")
        answer = self.lists.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        for found in answer:  # a page each
            yield Listed([msgspec.Raw(msgspec.json.encode(found))], 100)
        if not answer:
            yield Listed([], 100)

    async def watch(self, path: str, selector: str, since: int) -> AsyncIterator[raw.WatchEvent]:
        self.asked.append(f"watch {since}")
        if not self.watches:
            await asyncio.Event().wait()
        answer = self.watches.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        for event in answer:
            kind, found = str(event["type"]), event["object"]
            yield raw.WatchEvent(kind, msgspec.Raw(msgspec.json.encode(found)))


def named(data: msgspec.Raw) -> str | None:
    name = msgspec.json.decode(data, type=raw.Plain).metadata.name
    if name == "broken":
        raise ValueError("no such thing")
    return name


RESOURCE: Resource[str] = Resource("things", "/things", "all", named)


def told(source: Scripted, number: int, since: int | None = None) -> list[object]:
    async def story() -> list[object]:
        found: list[object] = []
        async with asyncio.timeout(5):
            async for one in list_watch.changes(source, RESOURCE, since):
                found.append(one)
                if len(found) == number:
                    break
        return found

    return asyncio.run(story())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pause(_attempt: int) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(list_watch, "pause", pause)
    monkeypatch.setattr(list_watch, "ABSENT_SECONDS", 0)


def test_a_list_of_several_pages_then_changes() -> None:
    source = Scripted(
        [[item("a", 1), item("b", 2)]],
        [[line("ADDED", "c", 101), line("MODIFIED", "a", 102), line("DELETED", "b", 103)]],
    )
    assert told(source, 4) == [
        Snapshot(["a", "b"], 100),
        Change("c", False, 101),
        Change("a", False, 102),
        Change("b", True, 103),
    ]
    assert source.asked == ["list", "watch 100"]


def test_a_watch_that_ends_is_taken_up_where_it_was_bookmarks_count() -> None:
    source = Scripted(
        [[]],
        [[line("ADDED", "a", 101)], [line("BOOKMARK", "", 150)], [line("ADDED", "b", 151)]],
    )
    found = told(source, 4)
    assert found[1:] == [Change("a", False, 101), Bookmark(150), Change("b", False, 151)]
    assert source.asked == ["list", "watch 100", "watch 101", "watch 150"]


@pytest.mark.parametrize("within", [True, False])
def test_forgotten_history_is_a_new_list(within: bool) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    first: list[dict[str, object]] | ApiError = [gone] if within else ApiError(410, "too old")
    source = Scripted([[item("a", 1)], [item("b", 2)]], [first])
    assert told(source, 2) == [Snapshot(["a"], 100), Snapshot(["b"], 100)]
    assert source.asked == ["list", "watch 100", "list"]


def test_a_broken_connection_is_told_and_mended_without_a_list() -> None:
    source = Scripted(
        [[]], [ApiError(0, "reset"), ApiError(0, "refused"), [line("ADDED", "a", 101)]]
    )
    assert told(source, 4) == [
        Snapshot([], 100),
        Interrupted("reset"),
        Interrupted("refused"),
        Change("a", False, 101),
    ]
    assert source.asked == ["list", "watch 100", "watch 100", "watch 100"]


def test_another_error_in_a_watch_is_no_new_list() -> None:
    failure = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "oh"}}
    source = Scripted([[]], [[line("ADDED", "a", 101), failure], [line("ADDED", "b", 102)]])
    assert told(source, 4)[1:] == [
        Change("a", False, 101),
        Interrupted("oh"),
        Change("b", False, 102),
    ]
    assert source.asked == ["list", "watch 100", "watch 101"]


def test_unknown_types_and_unreadable_objects_are_left_alone() -> None:
    source = Scripted(
        [[item("broken", 1), item("a", 2)]],
        [[line("TELEPORTED", "a", 101), line("ADDED", "broken", 102), line("ADDED", "b", 103)]],
    )
    assert told(source, 3) == [Snapshot(["a"], 100), Bookmark(102), Change("b", False, 103)]


def test_an_api_server_that_is_away_is_asked_again() -> None:
    source = Scripted([ApiError(0, "refused"), ApiError(503, "starting"), [item("a", 1)]], [])
    assert told(source, 3) == [
        Interrupted("refused"),
        Interrupted("starting"),
        Snapshot(["a"], 100),
    ]


def test_a_kind_that_the_cluster_does_not_have_is_empty_until_it_has() -> None:
    source = Scripted([ApiError(404, "no such kind"), [item("a", 1)]], [])
    assert told(source, 3) == [Interrupted("no such kind"), Snapshot([], 0), Snapshot(["a"], 100)]


def test_resumed_where_it_was_there_is_no_list() -> None:
    source = Scripted([], [[line("DELETED", "a", 58)]])
    assert told(source, 1, since=57) == [Change("a", True, 58)]
    assert source.asked == ["watch 57"]
