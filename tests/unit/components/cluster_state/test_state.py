"""What is read from a Deployment and from a route."""

from __future__ import annotations

import pytest

from components.cluster_state.state import (
    FIELD_MANAGER,
    ResourceRequests,
    parse_cluster_state,
    parse_version,
)
from tests.support.k8s_objects import AVAILABLE, FINISHED, STARTING, UNAVAILABLE, deployment, route


def test_version_state_is_read_from_deployment() -> None:
    version = parse_version(
        deployment("iris", "v1", extra_annotations={"git-commit": "c0ffee", "git-ref": "iris-1"})
    )
    assert version.content_hash == "a" * 64
    assert version.published_at == "2026-01-02T03:04:05Z"
    assert (version.commit, version.ref) == ("c0ffee", "iris-1")
    assert (version.replicas, version.available) == (2, True)
    assert version.requests == ResourceRequests(cpu=250, memory=2**30, gpu=1)


@pytest.mark.parametrize(
    ("conditions", "revision", "expected"),
    [
        ((AVAILABLE, FINISHED), "1", True),
        ((UNAVAILABLE, FINISHED), "1", True),  # it was, and broke
        ((UNAVAILABLE, STARTING), "2", True),  # it was, and a new rollout runs
        ((UNAVAILABLE, STARTING), "1", False),  # its first rollout is not through
        ((), "1", False),
    ],
)
def test_only_failed_first_rollout_counts_as_never_available(
    conditions: tuple[dict[str, str], ...], revision: str, expected: bool
) -> None:
    version = parse_version(deployment("iris", "v1", conditions, revision=revision))
    assert version.ever_available is expected


def test_transferred_replicas_are_not_owned_by_pulumi() -> None:
    assert parse_version(deployment("iris", "v1")).replicas_owned_by_pulumi
    assert not parse_version(
        deployment("iris", "v1", manager=FIELD_MANAGER)
    ).replicas_owned_by_pulumi


def test_routes_are_keyed_by_model_and_name() -> None:
    state = parse_cluster_state(
        [], [route("iris", "prod", {"v1": 90, "v2": 10}), route("a-b", "c", {"v1": 100})]
    )
    assert state.routes == {("iris", "prod"): {"v1": 90, "v2": 10}, ("a-b", "c"): {"v1": 100}}


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"v1": "90"}'])
def test_malformed_weights_annotation_counts_as_no_weights(text: str) -> None:
    assert parse_cluster_state([], [route("iris", "prod", text)]).routes == {}
