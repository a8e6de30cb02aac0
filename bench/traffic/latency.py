"""From the API server's reply to a changed weight until the first answer that shows it."""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass

from bench.figures import Figure, milliseconds
from bench.traffic.api import Many, Routes
from bench.traffic.client import Client, percentile
from bench.traffic.cluster import Manifest
from bench.traffic.ground import TRAEFIKS, Ground, Version
from bench.traffic.sharing import MODEL, address
from components.spec import MirrorSpec, RouteSpec

_SHOWN_SECONDS = 10.0
_SETTLE_SECONDS_PER_MODEL = 0.1
"""The cluster goes on for a while after hundreds of objects: the slices of all their Services."""
_GAP_SECONDS = (0.15, 0.35)
_PAUSE_SECONDS = 0.002
_REST_SHARE = 0.5
"""Nobody looks for the first half of the wanted median: looking takes from a core what is measured.

An answer is so found later than it was there, never earlier.
"""


@dataclass(frozen=True)
class Load:
    """Routes that are present, and how soon a change of one must show: median and 99 %, in ms."""

    models: int
    full: bool
    """With mirror and failover; else two arms alone."""
    median: float
    most: float
    traefiks: int = TRAEFIKS
    """How many build every route anew at a change. On one node they do it on the same cores."""

    @property
    def name(self) -> str:
        """What the command line calls it."""
        full = "-full" if self.full else ""
        return f"change-{self.models}{full}" + ("-one-traefik" if self.traefiks == 1 else "")

    @property
    def rest_seconds(self) -> float:
        """From the change until the first look."""
        return _REST_SHARE * self.median / 1000


LOADS = (
    Load(1, False, 10, 50),
    Load(200, False, 60, 150, traefiks=1),
    Load(200, True, 170, 250, traefiks=1),
    # beside them, what two take on the cores of one node: twice the work
    Load(200, False, 120, 300),
    Load(200, True, 340, 500),
)


def _name(number: int) -> str:
    """The first one is the model that has Pods: these refuse paths of another name."""
    return f"{MODEL}-{number:03}" if number else MODEL


def _spec(load: Load, first: str) -> RouteSpec:
    second = "v2" if first == "v1" else "v1"
    weights = {first: 100, second: 0}
    if not load.full:
        return RouteSpec(weights=weights)
    mirror = MirrorSpec(version="v3", percent=10)
    return RouteSpec(weights=weights, mirror=mirror, failover="v1")


def _present(ground: Ground, load: Load) -> list[list[Manifest]]:
    """The objects of all models: versions first, since routes name them."""
    versions: list[Manifest] = []
    routes: list[Manifest] = []
    for number in range(load.models):
        model = _name(number)
        for name in ("v1", "v2", "v3") if load.full else ("v1", "v2"):
            # many addresses, a few Pods: they are those of the one model that has any
            if number:
                versions += ground.addresses(Version(model, name), Version(MODEL, name))
        spec = RouteSpec(weights={"v1": 90, "v2": 10}) if number and not load.full else None
        routes += ground.latest(model, "v2")
        routes += ground.route(model, "prod", spec or _spec(load, "v1"))
    return [versions, routes]


async def route_change(ground: Ground, load: Load, changes: int) -> Figure:
    """`changes` of one model's route, each with some rest before it, `load.models` present."""
    ground.publish(*(Version(MODEL, name, 1) for name in ("v1", "v2", "v3")))
    ground.scale(load.traefiks)
    present, many = _present(ground, load), Many(ground.namespace)
    for items in present:
        await asyncio.to_thread(many.put, items)
        await asyncio.sleep(2)
    await asyncio.sleep(load.models * _SETTLE_SECONDS_PER_MODEL)
    client, routes, path = Client(ground.port), Routes(ground.namespace), address("prod")
    took: list[float] = []
    failed = 0
    try:
        for number in range(changes):
            to = ("v2", "v1")[number % 2]
            await asyncio.sleep(random.uniform(*_GAP_SECONDS))  # noqa: S311 - no secret
            shares = [
                item
                for item in ground.route(MODEL, "prod", _spec(load, to))
                if item["kind"] == "TraefikService" and "weighted" in str(item["spec"])
            ]
            shown = asyncio.create_task(_shown(client, path, to, load.rest_seconds))
            replied = await routes.change(shares)
            when, wrong = await shown
            took.append(max(0.0, when - replied))  # at times the answer overtakes the reply
            failed += wrong
    finally:
        for items in reversed(present):
            await asyncio.to_thread(many.delete, items)
        ground.scale(TRAEFIKS)
    median, most = statistics.median(took), percentile(took, 99)
    holds = milliseconds(median) <= load.median and milliseconds(most) <= load.most and not failed
    kind = "full" if load.full else "two-arm"
    text = (
        f"{load.models} {kind} routes, {load.traefiks} Traefik, {changes} changes: "
        f"median {milliseconds(median)} ms, p99 {milliseconds(most)} ms "
        f"(limits {load.median}, {load.most}); {failed} failed"
    )
    values = {
        "models": load.models,
        "full": load.full,
        "traefiks": load.traefiks,
        "changes": changes,
        "median_ms": milliseconds(median),
        "p99_ms": milliseconds(most),
        "failed": failed,
    }
    return Figure("route change", holds, text, values)


async def _shown(client: Client, path: str, version: str, rest: float) -> tuple[float, int]:
    """When the first answer of `version` came, and how many requests failed until then."""
    end, failed = time.monotonic() + _SHOWN_SECONDS, 0
    await asyncio.sleep(rest)
    while time.monotonic() < end:
        answer = await client.post(path)
        if answer.version == version:
            return answer.ended, failed
        failed += not answer.ok
        await asyncio.sleep(_PAUSE_SECONDS)
    raise RuntimeError(f"{version} has not answered {path} for {_SHOWN_SECONDS} s")
