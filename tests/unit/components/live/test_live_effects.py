"""What a preview tells of traffic, addresses and nodes."""

from __future__ import annotations

from components.live.effects import Wanted, describe, warnings
from components.live.state import Demand, live
from tests.support.live_objects import deployment, route

POD = Demand(cpu=250, memory=2**30, gpu=1)


def wanted(
    routes: dict[str, dict[str, int]], replicas: dict[str, int], failover: str | None = None
) -> Wanted:
    latest = max(replicas)
    return Wanted(
        replicas=replicas,
        demand=dict.fromkeys(replicas, POD),
        routes={"latest": {latest: 100}, **routes},
        also_answering={name: frozenset(filter(None, [failover])) for name in routes},
    )


STANDING = live(
    [deployment("iris", "v1"), deployment("iris", "v2")],
    [route("iris", "latest", {"v2": 100}), route("iris", "prod", {"v1": 90, "v2": 10})],
)


def test_nothing_is_told_where_nothing_changes() -> None:
    same = {"iris": wanted({"prod": {"v1": 90, "v2": 10}}, {"v1": 2, "v2": 2})}
    assert describe(same, STANDING) == []


def test_a_promotion_tells_each_share_before_and_after() -> None:
    moved = {"iris": wanted({"prod": {"v1": 50, "v2": 50}}, {"v1": 2, "v2": 2})}
    assert describe(moved, STANDING) == [
        "iris:",
        "  ~ /models/iris/prod  v1 90 % -> 50 % (-40), v2 10 % -> 50 % (+40)",
    ]


def test_a_new_version_tells_its_address_what_latest_does_and_what_it_asks_for() -> None:
    replicas = {"v1": 2, "v2": 2, "v3": 3}
    more = {"iris": wanted({"prod": {"v1": 90, "v2": 10}}, replicas)}
    assert describe(more, STANDING) == [
        "iris:",
        "  + /models/iris/versions/v3  3 replica(s)",
        "  ~ /models/iris/latest  v2 100 % -> 0 % (-100), v3 0 % -> 100 % (+100)",
        "asked of the nodes: CPU +750m, memory +3072Mi, GPU +3",
    ]


def test_a_retired_version_and_a_route_that_goes_are_told() -> None:
    fewer = {"iris": wanted({}, {"v2": 2})}
    assert describe(fewer, STANDING) == [
        "iris:",
        "  - /models/iris/versions/v1",
        "  - /models/iris/prod",
        "asked of the nodes: CPU -500m, memory -2048Mi, GPU -2",
    ]


def test_a_model_that_goes_is_told_too() -> None:
    assert describe({}, STANDING)[:3] == [
        "iris:",
        "  - /models/iris/versions/v1",
        "  - /models/iris/versions/v2",
    ]


def test_a_version_with_traffic_and_one_replica_is_warned_of() -> None:
    single = {"iris": wanted({"prod": {"v1": 100, "v2": 0}}, {"v1": 1, "v2": 1})}
    (line,) = warnings(single)
    assert "iris v1 gets traffic (prod) with one replica" in line


def test_a_failover_with_one_replica_is_warned_of() -> None:
    single = {"iris": wanted({"prod": {"v1": 0, "v2": 100}}, {"v1": 1, "v2": 2}, failover="v1")}
    assert ["iris v1 gets traffic (prod)" in line for line in warnings(single)] == [True]
