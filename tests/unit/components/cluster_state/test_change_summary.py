"""The preview's summary of traffic, addresses and resource requests."""

from __future__ import annotations

from components.cluster_state.change_summary import (
    DesiredModel,
    single_replica_warnings,
    summarize_changes,
)
from components.cluster_state.state import ResourceRequests, parse_cluster_state
from tests.support.k8s_objects import deployment, route

POD = ResourceRequests(cpu=250, memory=2**30, gpu=1)


def desired_model(
    routes: dict[str, dict[str, int]], replicas: dict[str, int], failover: str | None = None
) -> DesiredModel:
    latest = max(replicas)
    return DesiredModel(
        replicas=replicas,
        requests=dict.fromkeys(replicas, POD),
        routes={"latest": {latest: 100}, **routes},
        failover_versions={name: frozenset(filter(None, [failover])) for name in routes},
    )


STANDING = parse_cluster_state(
    [deployment("iris", "v1"), deployment("iris", "v2")],
    [route("iris", "latest", {"v2": 100}), route("iris", "prod", {"v1": 90, "v2": 10})],
)


def test_effects_without_changes_are_empty() -> None:
    same = {"iris": desired_model({"prod": {"v1": 90, "v2": 10}}, {"v1": 2, "v2": 2})}
    assert summarize_changes(same, STANDING) == []


def test_effects_of_promotion_list_shares_before_and_after() -> None:
    moved = {"iris": desired_model({"prod": {"v1": 50, "v2": 50}}, {"v1": 2, "v2": 2})}
    assert summarize_changes(moved, STANDING) == [
        "iris:",
        "  ~ /models/iris/prod  v1 90 % -> 50 % (-40), v2 10 % -> 50 % (+40)",
    ]


def test_effects_of_new_version_list_address_latest_and_requests() -> None:
    replicas = {"v1": 2, "v2": 2, "v3": 3}
    more = {"iris": desired_model({"prod": {"v1": 90, "v2": 10}}, replicas)}
    assert summarize_changes(more, STANDING) == [
        "iris:",
        "  + /models/iris/versions/v3  3 replica(s)",
        "  ~ /models/iris/latest  v2 100 % -> 0 % (-100), v3 0 % -> 100 % (+100)",
        "additional resource requests: CPU +750m, memory +3072Mi, GPU +3",
    ]


def test_effects_of_removed_version_and_route_are_listed() -> None:
    fewer = {"iris": desired_model({}, {"v2": 2})}
    assert summarize_changes(fewer, STANDING) == [
        "iris:",
        "  - /models/iris/versions/v1",
        "  - /models/iris/prod",
        "additional resource requests: CPU -500m, memory -2048Mi, GPU -2",
    ]


def test_effects_of_removed_model_are_listed() -> None:
    assert summarize_changes({}, STANDING)[:3] == [
        "iris:",
        "  - /models/iris/versions/v1",
        "  - /models/iris/versions/v2",
    ]


def test_weighted_version_with_one_replica_is_warned() -> None:
    single = {"iris": desired_model({"prod": {"v1": 100, "v2": 0}}, {"v1": 1, "v2": 1})}
    (line,) = single_replica_warnings(single)
    assert "iris v1 receives traffic (prod) with one replica" in line


def test_failover_with_one_replica_is_warned() -> None:
    single = {
        "iris": desired_model({"prod": {"v1": 0, "v2": 100}}, {"v1": 1, "v2": 2}, failover="v1")
    }
    assert [
        "iris v1 receives traffic (prod)" in line for line in single_replica_warnings(single)
    ] == [True]
