"""A published version is refused another content; an unpublished one may be mended."""

from __future__ import annotations

from dataclasses import dataclass

from components.live.immutability import changed
from components.live.state import live
from tests.support.live_objects import STARTING, UNAVAILABLE, deployment


@dataclass(frozen=True)
class Content:
    content_hash: str
    commit: str = ""
    ref: str = ""


def test_another_content_under_a_published_name_is_refused() -> None:
    standing = live([deployment("iris", "v1")], [])
    (mistake,) = changed({("iris", "v1"): Content("b" * 64)}, standing)
    assert mistake.path == "models.iris.versions.v1"
    assert "content that changed since it was published at 2026-01-02T03:04:05Z" in mistake.found
    assert "publish it as a new version" in mistake.hint


def test_the_same_content_and_a_new_version_pass() -> None:
    standing = live([deployment("iris", "v1")], [])
    contents = {("iris", "v1"): Content("a" * 64), ("iris", "v2"): Content("b" * 64)}
    assert not list(changed(contents, standing))


def test_a_version_that_was_never_available_may_be_mended_under_its_name() -> None:
    standing = live([deployment("iris", "v1", (UNAVAILABLE, STARTING))], [])
    assert not list(changed({("iris", "v1"): Content("b" * 64)}, standing))


def test_a_tag_that_moved_is_refused_even_with_the_same_files() -> None:
    told = {"git-commit": "1" * 40, "git-ref": "iris-1"}
    standing = live([deployment("iris", "v1", told=told)], [])
    (mistake,) = changed({("iris", "v1"): Content("a" * 64, "2" * 40, "iris-1")}, standing)
    assert mistake.path == "models.iris.versions.v1.source.ref"
    assert "a ref iris-1 that moved" in mistake.found
    # another ref to the same files is no move, and neither is a folder's newer commit
    assert not list(changed({("iris", "v1"): Content("a" * 64, "2" * 40, "iris-2")}, standing))
    assert not list(changed({("iris", "v1"): Content("a" * 64, "2" * 40)}, standing))
