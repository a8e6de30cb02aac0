"""A steady stream of requests during all events in the life of a model."""

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bench.figures import Figure
from bench.traffic.client import Answer, Client, by_version, crowd, paced
from bench.traffic.cluster import kubectl
from bench.traffic.sharing import address
from bench.traffic.testbed import Testbed, Version
from components.config import RouteSpec

MODEL = "steady"
RATE = 200
_SETTLED_SECONDS = 1.0
"""Seconds after a change in which a backend of weight 0 may still answer."""
_STEPS = 10
_KILL_SECONDS = 3.0
"""Seconds around a kill in which requests in flight may fail."""
_KILL_PAUSE_SECONDS = 8.0
_KILL_CHILDREN = """
import os, signal
for child in open("/proc/1/task/1/children").read().split():
    os.kill(int(child), signal.SIGKILL)
"""
"""Kills the serving processes; process 1 of a container cannot be killed from inside."""


@dataclass
class Changes:
    """Log of weights, with the time of each request and reply."""

    log: list[tuple[float, float, dict[str, int]]] = field(default_factory=list)

    def late(self, answers: Sequence[Answer]) -> list[Answer]:
        """Return responses of backends that had no weight for more than a second."""
        return [item for item in answers if item.ok and not self._due(item)]

    def _due(self, answer: Answer) -> bool:
        """Return whether weights with this backend may have applied during the request."""
        ends = [done + _SETTLED_SECONDS for _, done, _ in self.log[1:]] + [math.inf]
        return any(
            weights.get(answer.version, 0) and begun <= answer.ended and answer.started <= end
            for (begun, _, weights), end in zip(self.log, ends, strict=True)
        )


class Life:
    """The events in their order; each returns when it is complete."""

    def __init__(self, testbed: Testbed, spec: RouteSpec) -> None:
        self.changes = Changes()
        self._testbed = testbed
        self._spec = spec
        # new Pods: killed Pods of an earlier run may be in back-off
        fresh = {"BEGUN": str(time.time())}
        self.v1, self.v2, self.v3 = (Version(MODEL, f"v{n}", 2, fresh) for n in (1, 2, 3))

    async def set_weights(self, weights: dict[str, int]) -> None:
        """Change the weights."""
        spec = self._spec.model_copy(update={"weights": weights})
        begun = time.monotonic()
        await asyncio.to_thread(self._testbed.set_route, MODEL, "prod", spec)
        self.changes.log.append((begun, time.monotonic(), weights))

    async def ramp(self) -> None:
        """Move traffic from v1 to v2 in ten steps."""
        for step in range(1, _STEPS + 1):
            await self.set_weights({"v1": 100 - 10 * step, "v2": 10 * step})
            await asyncio.sleep(2)

    async def roll(self) -> None:
        """Replace all Pods of the version with the traffic."""
        replacement = Version(MODEL, "v2", 2, {"ROLLED": str(time.time())})
        await asyncio.to_thread(self._testbed.publish, replacement)
        self.v2 = replacement

    async def publish_and_retire(self) -> None:
        """Move the traffic to a new version and retire the oldest."""
        await asyncio.to_thread(self._testbed.publish, self.v3)
        await self.set_weights({"v2": 50, "v3": 50})
        await asyncio.sleep(_SETTLED_SECONDS)
        await asyncio.to_thread(self._testbed.retire, self.v1)

    async def delete_pods(self) -> None:
        """Delete one Pod of each version with traffic, as a drain does."""
        for version in (self.v2, self.v3):
            pods = await asyncio.to_thread(self._testbed.pods, version)
            await self._kubectl("delete", "pod", pods[0], "--wait=false")
            await asyncio.sleep(5)

    async def delete_traefik(self) -> None:
        """Delete one of two Traefiks."""
        pods = await asyncio.to_thread(self._testbed.traefiks)
        await self._kubectl("delete", "pod", pods[0], "--wait=false")
        await asyncio.sleep(10)

    async def kill_pods(self) -> list[float]:
        """Delete one Pod of each version without grace period; return the time."""
        times = []
        for version in (self.v1, self.v2):
            pods = await asyncio.to_thread(self._testbed.pods, version)
            times.append(time.monotonic())
            await self._kubectl("delete", "pod", pods[0], "--force", "--grace-period=0")
            await asyncio.sleep(_KILL_PAUSE_SECONDS)
        return times

    async def kill_processes(self) -> list[float]:
        """Kill the serving processes in each Pod; return the time."""
        times = []
        for version in (self.v1, self.v2):
            for pod in await asyncio.to_thread(self._testbed.pods, version):
                times.append(time.monotonic())
                # the container may exit before the response
                with contextlib.suppress(RuntimeError):
                    await self._kubectl("exec", pod, "--", "python", "-c", _KILL_CHILDREN)
                await asyncio.sleep(_KILL_PAUSE_SECONDS)
        return times

    async def _kubectl(self, *arguments: str) -> None:
        await asyncio.to_thread(kubectl, "-n", self._testbed.namespace, *arguments)


async def _begin(testbed: Testbed, spec: RouteSpec, weights: dict[str, int]) -> Life:
    life = Life(testbed, spec)
    await asyncio.to_thread(testbed.publish, life.v1, life.v2)
    await life.set_weights(weights)
    await asyncio.sleep(2)
    return life


async def changes(testbed: Testbed, count: int) -> Figure:
    """Check that no request fails; `count` should cover all events (about 70 s).

    The events are spread over the stream.
    """
    life = await _begin(testbed, RouteSpec(weights={"v1": 100}), {"v1": 100, "v2": 0})
    events = (
        life.ramp,
        life.roll,
        life.publish_and_retire,
        life.delete_pods,
        life.delete_traefik,
    )
    client = Client(testbed.port)
    log: list[tuple[str, float]] = []

    async def live() -> None:
        begun = time.monotonic()
        for number, event in enumerate(events):
            due = begun + number * count / RATE / len(events)
            await asyncio.sleep(max(1, due - time.monotonic()))
            await _logged(event, log)

    answers, _ = await asyncio.gather(_stream(client, count), live())
    wrong, late = [item for item in answers if not item.ok], life.changes.late(answers)
    names = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in log)
    text = (
        f"{len(wrong)} of {len(answers)} failed, {len(late)} late, {client.reconnected} on a kept "
        f"connection that was closed ({names})"
    )
    values = {
        "requests": len(answers),
        "failed": len(wrong),
        "late": len(late),
        "reconnected": client.reconnected,
        "events": dict(log),
        "errors": _errors(wrong),
        "answers": dict(by_version(answers)),
    }
    return Figure("steady", not wrong and not late, text, values)


async def _logged(event: Callable[[], Awaitable[object]], log: list[tuple[str, float]]) -> None:
    start = time.monotonic()
    await event()
    log.append((event.__name__, time.monotonic() - start))


async def _stream(client: Client, count: int) -> list[Answer]:
    return await paced(client, [address("prod", MODEL)], RATE, count)


async def kills(testbed: Testbed, *, pods: bool, with_failover: bool) -> Figure:
    """Kill Pods or their serving processes by SIGKILL.

    At most their requests in flight fail, and none with a failover. There, many callers keep
    requests in flight.
    """
    weights = {"v1": 50, "v2": 50}
    spec = RouteSpec(weights=weights)
    if with_failover:
        spec = spec.model_copy(update={"failover": "v1"})
    life = await _begin(testbed, spec, weights)
    client = Client(testbed.port)
    kill, seconds = (life.kill_pods, 20) if pods else (life.kill_processes, 40)
    load = (
        crowd(client, address("prod", MODEL), seconds)
        if with_failover
        else _stream(client, RATE * seconds)
    )
    answers, times = await asyncio.gather(load, kill())
    wrong = [item for item in answers if not item.ok]
    allowed = 0 if with_failover else sum(_in_flight(answers, at) for at in times)
    name = "Pods killed" if pods else "processes killed"
    name += ", with failover" if with_failover else ""
    text = f"{len(wrong)} of {len(answers)} failed; {allowed} were in flight at most"
    values = {
        "requests": len(answers),
        "failed": len(wrong),
        "in_flight": allowed,
        "errors": _errors(wrong),
    }
    return Figure(name, len(wrong) <= allowed, text, values)


def _in_flight(answers: Sequence[Answer], at: float) -> int:
    """Return the largest number of requests in flight soon after a kill."""
    edges: list[tuple[float, int]] = []
    for item in answers:
        if at <= item.started <= at + _KILL_SECONDS:
            edges += [(item.started, 1), (item.ended, -1)]
    most = now = 0
    for _, step in sorted(edges):
        now += step
        most = max(most, now)
    return most


def _errors(wrong: Sequence[Answer]) -> dict[str, int]:
    return dict(Counter(f"{item.status} {item.error}".strip() for item in wrong))
