"""What many routes cost: from a change to the first answer that shows it, and per request."""

import asyncio
import contextlib
import json
import random
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

from bench.figures import Figure, milliseconds
from bench.traffic.api import Many, Routes
from bench.traffic.client import Client, percentile
from bench.traffic.cluster import Manifest
from bench.traffic.sharing import MODEL, SPLIT, address
from bench.traffic.testbed import TRAEFIKS, Testbed, Version
from components.config import MirrorSpec, RouteSpec

_SHOWN_SECONDS = 10.0
_SETTLE_SECONDS = 2.0
_SETTLE_SECONDS_PER_MODEL = 0.1
"""The cluster goes on for a while after hundreds of objects: the slices of all their Services."""
_GAP_SECONDS = (0.15, 0.35)
_PAUSE_SECONDS = 0.002
_MOST_AMONG_OTHERS = 1.25
"""What a request may take among many models, as a multiple of what it takes alone."""
_REST_SECONDS_PER_ROUTE = 0.00015
_REST_SECONDS_PER_FULL_ROUTE = 0.0004
"""Nobody looks before it can be there: looking takes from a core what is measured.

An answer is so found later than it was there, never earlier.
"""


@dataclass(frozen=True)
class Load:
    """What is present while a route changes."""

    models: int
    full: bool
    """With mirror and failover; else two arms alone."""
    limits: tuple[float, float] | None
    """Median and 99th percentile in ms that must hold; none: what it takes is only told."""
    whole_models: bool = False
    """Every model with all that the program makes for it; else its route alone, over few Pods."""
    traefiks: int = 1
    """How many build every route anew at a change. On one node they do it on the same cores."""

    @property
    def name(self) -> str:
        """What the command line calls it."""
        marks = {
            "-full": self.full,
            "-whole": self.whole_models,
            "-two-traefiks": self.traefiks == TRAEFIKS,
        }
        return f"change-{self.models}" + "".join(mark for mark, is_so in marks.items() if is_so)

    @property
    def rest_seconds(self) -> float:
        """From the change until the first look."""
        return self.models * (
            _REST_SECONDS_PER_FULL_ROUTE if self.full else _REST_SECONDS_PER_ROUTE
        )

    def holds(self, median: float, most: float) -> bool:
        """Whether it took no longer than wanted."""
        return self.limits is None or (median <= self.limits[0] and most <= self.limits[1])


LOADS = (
    Load(1, False, (10, 50)),
    Load(200, False, (60, 150)),
    Load(200, True, (170, 250)),
    # whole models: with versions, addresses and `latest`; then on two Traefiks at once
    Load(200, False, None, whole_models=True),
    Load(200, True, None, whole_models=True),
    Load(200, False, None, whole_models=True, traefiks=TRAEFIKS),
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


def _over_few_pods(items: list[Manifest], model: str) -> list[Manifest]:
    """The same route, over the versions of the model that has Pods."""
    return cast("list[Manifest]", json.loads(json.dumps(items).replace(f"{model}-v", f"{MODEL}-v")))


def _present(testbed: Testbed, load: Load) -> list[list[Manifest]]:
    """The objects of all models: versions first, since routes name them."""
    versions: list[Manifest] = []
    routes: list[Manifest] = []
    for number in range(load.models):
        model = _name(number)
        plain = number and not load.full
        spec = RouteSpec(weights=SPLIT) if plain else _spec(load, "v1")
        route = testbed.route(model, "prod", spec)
        if not load.whole_models:
            routes += _over_few_pods(route, model)
            continue
        routes += [*testbed.latest(model, "v2"), *route]
        for name in ("v1", "v2", "v3") if load.full else ("v1", "v2"):
            # many addresses, a few Pods: they are those of the one model that has any
            if number:
                versions += testbed.addresses(Version(model, name), Version(MODEL, name))
    return [versions, routes]


@contextlib.asynccontextmanager
async def _prepared(testbed: Testbed, load: Load) -> AsyncIterator[None]:
    """All of it there, and the cluster at rest; gone again afterwards."""
    testbed.publish(*(Version(MODEL, name, 1) for name in ("v1", "v2", "v3")))
    testbed.scale(load.traefiks)
    present, many = _present(testbed, load), Many(testbed.namespace)
    try:
        for items in present:
            await asyncio.to_thread(many.put, items)
            await asyncio.sleep(_SETTLE_SECONDS)
        await asyncio.sleep(load.models * _SETTLE_SECONDS_PER_MODEL)
        yield
    finally:
        for items in reversed(present):
            await asyncio.to_thread(many.delete, items)
        testbed.scale(TRAEFIKS)


async def among(testbed: Testbed, models: int, calls: int) -> Figure:
    """How much longer a request takes where Traefik has the rules of so many whole models."""
    took, failed = [], 0
    for number in (1, models):
        async with _prepared(testbed, Load(number, False, None, whole_models=True)):
            client = Client(testbed.port)
            answers = [await client.post(address("prod")) for _ in range(calls)]
        took.append(statistics.median(answer.seconds for answer in answers))
        failed += sum(not answer.ok for answer in answers)
    alone, among = took
    ratio = round(among / alone, 2)
    text = (
        f"{calls} calls, median {milliseconds(alone)} ms alone, {milliseconds(among)} ms among "
        f"{models} models: {ratio} (limit {_MOST_AMONG_OTHERS}); {failed} failed"
    )
    values = {
        "models": models,
        "alone_ms": alone * 1000,
        "among_ms": among * 1000,
        "ratio": ratio,
        "failed": failed,
    }
    return Figure("among others", ratio <= _MOST_AMONG_OTHERS and not failed, text, values)


async def route_change(testbed: Testbed, load: Load, changes: int) -> Figure:
    """`changes` of one model's route, each with some rest before it, `load.models` present."""
    client, routes, path = Client(testbed.port), Routes(testbed.namespace), address("prod")
    took: list[float] = []
    failed = 0
    async with _prepared(testbed, load):
        for number in range(changes):
            to = ("v2", "v1")[number % 2]
            await asyncio.sleep(random.uniform(*_GAP_SECONDS))  # noqa: S311 - no secret
            shares = [
                item
                for item in testbed.route(MODEL, "prod", _spec(load, to))
                if item["kind"] == "TraefikService" and "weighted" in str(item["spec"])
            ]
            first_answer = asyncio.create_task(_first_answer(client, path, to, load.rest_seconds))
            replied = await routes.change(shares)
            when, wrong = await first_answer
            took.append(max(0.0, when - replied))  # at times the answer overtakes the reply
            failed += wrong
    median, most = milliseconds(statistics.median(took)), milliseconds(percentile(took, 99))
    kind = "full" if load.full else "two-arm"
    present_are = f"whole models with {kind} routes" if load.whole_models else f"{kind} routes"
    limits = " (limits {}, {})".format(*load.limits) if load.limits else ""
    text = (
        f"{load.models} {present_are}, {load.traefiks} Traefik, {changes} changes: "
        f"median {median} ms, p99 {most} ms{limits}; {failed} failed"
    )
    values = {
        "models": load.models,
        "full": load.full,
        "whole": load.whole_models,
        "traefiks": load.traefiks,
        "changes": changes,
        "median_ms": median,
        "p99_ms": most,
        "failed": failed,
    }
    return Figure("route change", load.holds(median, most) and not failed, text, values)


async def _first_answer(
    client: Client, path: str, version: str, rest_seconds: float
) -> tuple[float, int]:
    """When the first answer of `version` came, and how many requests failed until then."""
    end, failed = time.monotonic() + _SHOWN_SECONDS, 0
    await asyncio.sleep(rest_seconds)
    while time.monotonic() < end:
        answer = await client.post(path)
        if answer.version == version:
            return answer.ended, failed
        failed += not answer.ok
        await asyncio.sleep(_PAUSE_SECONDS)
    raise RuntimeError(f"{version} has not answered {path} for {_SHOWN_SECONDS} s")
