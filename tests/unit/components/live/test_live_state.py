"""What is read from a Deployment and from a route."""

from __future__ import annotations

import pytest

from components.live.state import HAND_OVER, Demand, live, version
from tests.support.live_objects import AVAILABLE, FINISHED, STARTING, UNAVAILABLE, deployment, route


def test_a_version_is_read_from_its_deployment() -> None:
    found = version(deployment("iris", "v1", told={"git-commit": "c0ffee", "git-ref": "iris-1"}))
    assert found.content_hash == "a" * 64
    assert found.published_at == "2026-01-02T03:04:05Z"
    assert (found.commit, found.ref) == ("c0ffee", "iris-1")
    assert (found.replicas, found.available) == (2, True)
    assert found.demand == Demand(cpu=250, memory=2**30, gpu=1)


@pytest.mark.parametrize(
    ("conditions", "revision", "expected"),
    [
        ((AVAILABLE, FINISHED), "1", True),
        ((UNAVAILABLE, FINISHED), "1", True),  # it was, and broke
        ((UNAVAILABLE, STARTING), "2", True),  # it was, and is rolled anew
        ((UNAVAILABLE, STARTING), "1", False),  # its first rollout is not through
        ((), "1", False),
    ],
)
def test_only_a_first_rollout_that_never_succeeded_was_never_available(
    conditions: tuple[dict[str, str], ...], revision: str, expected: bool
) -> None:
    found = version(deployment("iris", "v1", conditions, revision=revision))
    assert found.was_available is expected


def test_why_a_version_is_not_available_is_the_deployment_s_own_word() -> None:
    found = version(deployment("iris", "v1", (UNAVAILABLE, STARTING)))
    assert found.message == "Deployment does not have minimum availability."


def test_replicas_that_the_hand_over_holds_are_not_pulumi_s() -> None:
    assert version(deployment("iris", "v1")).replicas_are_ours
    assert not version(deployment("iris", "v1", manager=HAND_OVER)).replicas_are_ours


def test_routes_are_read_by_model_and_name() -> None:
    found = live([], [route("iris", "prod", {"v1": 90, "v2": 10}), route("a-b", "c", {"v1": 100})])
    assert found.routes == {("iris", "prod"): {"v1": 90, "v2": 10}, ("a-b", "c"): {"v1": 100}}


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"v1": "90"}'])
def test_a_split_that_somebody_spoilt_counts_as_none(text: str) -> None:
    assert live([], [route("iris", "prod", text)]).routes == {}
