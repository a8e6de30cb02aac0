"""The content of a published version is immutable; an unpublished version may change."""

from __future__ import annotations

from dataclasses import dataclass

from components.cluster_state.immutability import find_changed_versions
from components.cluster_state.state import parse_cluster_state
from tests.support.k8s_objects import STARTING, UNAVAILABLE, deployment


@dataclass(frozen=True)
class Content:
    content_hash: str
    commit: str = ""
    ref: str = ""


def test_published_version_with_changed_content_is_refused() -> None:
    state = parse_cluster_state([deployment("iris", "v1")], [])
    (issue,) = find_changed_versions({("iris", "v1"): Content("b" * 64)}, state)
    assert issue.location == "models.iris.versions.v1"
    assert "content that changed since it was published at 2026-01-02T03:04:05Z" in issue.actual
    assert "publish it as a new version" in issue.hint


def test_unchanged_content_and_new_version_are_accepted() -> None:
    state = parse_cluster_state([deployment("iris", "v1")], [])
    contents = {("iris", "v1"): Content("a" * 64), ("iris", "v2"): Content("b" * 64)}
    assert not list(find_changed_versions(contents, state))


def test_never_available_version_with_changed_content_is_accepted() -> None:
    state = parse_cluster_state([deployment("iris", "v1", (UNAVAILABLE, STARTING))], [])
    assert not list(find_changed_versions({("iris", "v1"): Content("b" * 64)}, state))


def test_moved_git_tag_with_same_content_is_refused() -> None:
    annotations = {"git-commit": "1" * 40, "git-ref": "iris-1"}
    state = parse_cluster_state([deployment("iris", "v1", extra_annotations=annotations)], [])
    (issue,) = find_changed_versions({("iris", "v1"): Content("a" * 64, "2" * 40, "iris-1")}, state)
    assert issue.location == "models.iris.versions.v1.source.ref"
    assert "a ref iris-1 that moved" in issue.actual
    # another ref to the same files is no move, and neither is a folder's newer commit
    assert not list(
        find_changed_versions({("iris", "v1"): Content("a" * 64, "2" * 40, "iris-2")}, state)
    )
    assert not list(find_changed_versions({("iris", "v1"): Content("a" * 64, "2" * 40)}, state))
