"""`python -m bench.traffic [NAME ...]`: benchmarks of routes. Exits with 1 if a limit is missed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import cast

from bench import command
from bench.figures import Figure
from bench.traffic import sharing, steady
from bench.traffic.cluster import get
from bench.traffic.latency import LOADS, Load, among, route_change
from bench.traffic.testbed import Testbed

Bench = Callable[[Testbed, float], Awaitable[Figure | list[Figure]]]
_LEAST_STEADY = 20_000
"""Requests during all events (100 s)."""


def _scaled(count: int, scale: float, least: int = 10) -> int:
    return max(least, int(count * scale))


def _change(load: Load) -> Bench:
    return lambda testbed, scale: route_change(testbed, load, _scaled(200, scale))


def _kills(name: str) -> Bench:
    pods, with_failover = "pods" in name, "failover" in name
    return lambda testbed, _: steady.kills(testbed, pods=pods, with_failover=with_failover)


KILLS = (
    "killed-pods",
    "killed-pods-with-failover",
    "killed-processes",
    "killed-processes-with-failover",
)
BENCHES: dict[str, Bench] = {
    "split": lambda testbed, scale: sharing.split(testbed, _scaled(20_000, scale)),
    "split-while-others-change": lambda testbed, scale: sharing.split_while_others_change(
        testbed, _scaled(3000, scale)
    ),
    "sticky": lambda testbed, scale: sharing.sticky(testbed, _scaled(100, scale)),
    "header": lambda testbed, scale: sharing.header(testbed, _scaled(200, scale)),
    "mirror": lambda testbed, scale: sharing.mirror(testbed, _scaled(5000, scale)),
    "failover": lambda testbed, scale: sharing.failover(testbed, _scaled(10_000, scale)),
    "steady": lambda testbed, scale: steady.changes(testbed, _scaled(60_000, scale, _LEAST_STEADY)),
    **{name: _kills(name) for name in KILLS},
    "among-200": lambda testbed, scale: among(testbed, 200, _scaled(5000, scale)),
    **{load.name: _change(load) for load in LOADS},
}


async def _run(names: list[str], testbed: Testbed, scale: float) -> bool:
    testbed.start()
    return all([command.report(await BENCHES[name](testbed, scale)) for name in names])


def image_of_models(namespace: str) -> str:
    """Return the image of a running version; only its harness is used."""
    label = "app.kubernetes.io/component=model"
    deployments = cast(
        "list[dict[str, dict[str, dict[str, dict[str, list[dict[str, str]]]]]]]",
        get("-n", namespace, "deployments", "-l", label)["items"],
    )
    if not deployments:
        raise SystemExit(f"namespace {namespace} has no model whose image could be used: make up")
    return deployments[0]["spec"]["template"]["spec"]["containers"][0]["image"]


def main() -> int:
    """Run the benches that the command line names, or all."""
    parser = command.parser("bench.traffic", __doc__, BENCHES)
    parser.add_argument("--namespace", default="bench-traffic", help="made and deleted")
    parser.add_argument("--port", type=int, default=8004, help="node port of its Traefik")
    parser.add_argument("--models", default="models", help="namespace whose model image is used")
    parser.add_argument("--traefik", default="traefik:v3.7.13", help="image of its Traefik")
    parser.add_argument("--keep", action="store_true", help="leave the namespace, without Pods")
    arguments = parser.parse_args()
    names = command.chosen(parser, arguments.names, BENCHES)
    command.need_cluster(parser)
    testbed = Testbed(
        arguments.namespace, arguments.port, image_of_models(arguments.models), arguments.traefik
    )
    try:
        holds = asyncio.run(_run(names, testbed, arguments.scale))
    finally:
        testbed.stop()
        if not arguments.keep:
            testbed.remove()
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
