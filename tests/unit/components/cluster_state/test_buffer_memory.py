"""A warning where mirrors and failovers could fill Traefik's memory."""

from pathlib import Path

import pytest

from components.cluster_state.buffer_memory import buffer_memory_warnings
from components.config import StackSpec, parse

PLATFORM = {"namespace": "models", "registry": "localhost:5000/models", "hostname": "localhost"}
V1 = {"image": "localhost:5000/models/iris@sha256:" + "1" * 64}


def _spec(route: dict, memory: str, body_bytes: int) -> StackSpec:
    model = {
        "language": "python",
        "handler": "predict:predict",
        "versions": {"v1": V1, "v2": V1, "v3": V1},
        "routes": {"prod": {"weights": {"v2": 100}, **route}},
        "limits": {"bodyBytes": body_bytes},
    }
    platform = {**PLATFORM, "ingressController": {"resources": {"memory": memory}}}
    return parse(platform, {"iris": model}, Path("/"), frozenset())


@pytest.mark.parametrize("route", [{"failover": "v1"}, {"mirror": {"version": "v3", "percent": 5}}])
def test_body_memory_above_traefik_limit_is_warned(route: dict) -> None:
    [line] = buffer_memory_warnings(_spec(route, "256Mi", 20 * 2**20))
    assert line.startswith(
        "iris: Traefik holds whole bodies for the mirror or failover of prod; 6 "
    )


@pytest.mark.parametrize(
    ("route", "memory", "body_bytes"),
    [
        ({}, "256Mi", 2**26),
        ({"failover": "v1"}, "256Mi", 2**24),
        ({"failover": "v1"}, "1Gi", 2**26),
    ],
    ids=["held by none", "8 fit", "with more memory"],
)
def test_body_memory_below_traefik_limit_is_not_warned(
    route: dict, memory: str, body_bytes: int
) -> None:
    assert list(buffer_memory_warnings(_spec(route, memory, body_bytes))) == []
