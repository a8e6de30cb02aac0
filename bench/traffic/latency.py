"""Cost of many routes: time from a change to the first response that shows it, and per request."""

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
"""After hundreds of objects, the cluster still writes their EndpointSlices."""
_GAP_SECONDS = (0.15, 0.35)
_PAUSE_SECONDS = 0.002
_MOST_AMONG_OTHERS = 1.25
"""Largest ratio of a request's time among many models to its time alone."""
_REST_SECONDS_PER_ROUTE = 0.00015
_REST_SECONDS_PER_FULL_ROUTE = 0.0004
"""No request is sent before the change can be visible, because requests use the same cores.

The measured time may be too long, never too short.
"""


@dataclass(frozen=True)
class Load:
    """The objects that exist while a route changes."""

    models: int
    full: bool
    """Routes with mirror and failover; otherwise only two backends."""
    limits: tuple[float, float] | None
    """Limits of median and p99 in ms; None only reports."""
    whole_models: bool = False
    """All objects of every model; otherwise only its route, over few Pods."""
    traefiks: int = 1
    """Number of Traefiks, which all rebuild the routes on the same cores."""

    @property
    def name(self) -> str:
        """The benchmark's name."""
        marks = {
            "-full": self.full,
            "-whole": self.whole_models,
            "-two-traefiks": self.traefiks == TRAEFIKS,
        }
        return f"change-{self.models}" + "".join(mark for mark, is_so in marks.items() if is_so)

    @property
    def rest_seconds(self) -> float:
        """Seconds from the change to the first request."""
        return self.models * (
            _REST_SECONDS_PER_FULL_ROUTE if self.full else _REST_SECONDS_PER_ROUTE
        )

    def holds(self, median: float, most: float) -> bool:
        """Return whether the limits hold."""
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
    """The first model has Pods, which refuse paths of other models."""
    return f"{MODEL}-{number:03}" if number else MODEL


def _spec(load: Load, first: str) -> RouteSpec:
    second = "v2" if first == "v1" else "v1"
    weights = {first: 100, second: 0}
    if not load.full:
        return RouteSpec(weights=weights)
    mirror = MirrorSpec(version="v3", percent=10)
    return RouteSpec(weights=weights, mirror=mirror, failover="v1")


def _over_few_pods(items: list[Manifest], model: str) -> list[Manifest]:
    """Return a route over the versions of the model that has Pods."""
    return cast("list[Manifest]", json.loads(json.dumps(items).replace(f"{model}-v", f"{MODEL}-v")))


def _present(testbed: Testbed, load: Load) -> list[list[Manifest]]:
    """Return the objects of all models, versions first, since routes reference them."""
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
            # all Services select the Pods of the first model
            if number:
                versions += testbed.addresses(Version(model, name), Version(MODEL, name))
    return [versions, routes]


@contextlib.asynccontextmanager
async def _prepared(testbed: Testbed, load: Load) -> AsyncIterator[None]:
    """Create all objects and wait until the cluster is idle; delete them afterwards."""
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
    """Compare the time of a request with and without the rules of many models."""
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
    """Measure changes of a model's route, with pauses, while other models exist."""
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
            took.append(max(0.0, when - replied))  # the response may arrive before the reply
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
    """Return the time of the first response of `version`, and the failures before it."""
    end, failed = time.monotonic() + _SHOWN_SECONDS, 0
    await asyncio.sleep(rest_seconds)
    while time.monotonic() < end:
        answer = await client.post(path)
        if answer.version == version:
            return answer.ended, failed
        failed += not answer.ok
        await asyncio.sleep(_PAUSE_SECONDS)
    raise RuntimeError(f"{version} has not answered {path} for {_SHOWN_SECONDS} s")
