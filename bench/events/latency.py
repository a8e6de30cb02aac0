"""From the API server's write of a transition to its confirmed message, many a second."""

import asyncio
import json
import threading
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from bench.events import versions
from bench.events.alone import ground_alone
from bench.events.broker import QUEUE, Node
from bench.events.ground import Ground, ground
from bench.events.watchers import Watcher
from bench.figures import Figure, milliseconds
from bench.traffic.client import percentile

NAMESPACE = "bench-events-latency"
RATE = 50
"""Transitions a second."""
_SECONDS = 60.0
_MODELS = 50
_MEDIAN_SECONDS, _P99_SECONDS = 0.030, 0.150
_WAIT_SECONDS = 20.0


@dataclass
class _Consumer:
    """Notes when each event comes: a queue gives it out once it is stored, as it is confirmed."""

    broker: Node
    arrived: dict[tuple[str, int], tuple[float, str]] = field(default_factory=dict)
    """By model and sequence: monotonic seconds, and the state."""
    listening: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with self.broker.connected() as connection:
            channel = connection.channel()

            self.listening.set()
            for method, _, body in channel.consume(QUEUE, True, inactivity_timeout=0.2):
                now = time.monotonic()
                if self.over.is_set():
                    return
                if method is not None:
                    data = json.loads(body)["data"]
                    self.arrived[data["model"], data["sequence"]] = now, data["state"]


@dataclass
class _Made:
    model: str
    sequence: int
    state: str
    sent: float
    replied: float


async def latency(scale: float) -> list[Figure]:
    """Pods fall into a crash loop and out of it, each change of one Pod's status a transition.

    By the local stack's API server, with the whole stack on the same cores; and by one alone.
    """
    return [
        await _measured("latency", ground(NAMESPACE), scale),
        await _measured("latency, API server alone", ground_alone(NAMESPACE), scale),
    ]


async def _measured(name: str, where: AbstractAsyncContextManager[Ground], scale: float) -> Figure:
    async with where as place:
        watcher = Watcher(NAMESPACE, place.access, place.broker, place.folder / "watcher.log")
        consumer = _Consumer(place.broker)
        thread = threading.Thread(target=consumer.run)
        thread.start()
        try:
            await _prepare(place, watcher, consumer)
            made = await _load(place, max(100, round(RATE * _SECONDS * scale)))
            await _arrived(consumer, len(made))
        finally:
            consumer.over.set()
            await asyncio.to_thread(thread.join)
            await watcher.end()
    return _figure(name, made, consumer)


async def _prepare(place: Ground, watcher: Watcher, consumer: _Consumer) -> None:
    await asyncio.to_thread(consumer.listening.wait)
    for number in range(_MODELS):
        model = f"m{number}"
        await place.kube.send(
            "POST", versions.deployments(NAMESPACE), versions.deployment(model, 1)
        )
        await place.kube.send("POST", versions.pods(NAMESPACE), versions.pod(model))
    await asyncio.sleep(5)  # the Deployment controller has said what it has to say
    await watcher.start()
    await watcher.ready()
    await _arrived(consumer, _MODELS)
    consumer.arrived.clear()


async def _load(place: Ground, count: int) -> list[_Made]:
    made: list[_Made] = []

    async def one(number: int) -> None:
        model, turn = f"m{number % _MODELS}", number // _MODELS
        failing = turn % 2 == 0
        path = f"{versions.pods(NAMESPACE)}/{model}-v1-0/status"
        sent = time.monotonic()
        await place.kube.send("PATCH", path, versions.status(failing=failing))
        state = "Failed" if failing else "Progressing"
        made.append(_Made(model, turn + 2, state, sent, time.monotonic()))

    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0, begun + number / RATE - time.monotonic()))
            group.create_task(one(number))
    return made


async def _arrived(consumer: _Consumer, count: int) -> None:
    async with asyncio.timeout(_WAIT_SECONDS):
        while len(consumer.arrived) < count:
            await asyncio.sleep(0.05)


def _figure(name: str, made: list[_Made], consumer: _Consumer) -> Figure:
    waits, whole, wrong = [], [], 0
    for one in made:
        at, state = consumer.arrived[one.model, one.sequence]
        wrong += state != one.state
        waits.append(max(0.0, at - one.replied))
        whole.append(at - one.sent)
    median, p99 = percentile(waits, 50), percentile(waits, 99)
    text = (
        f"{len(made)} transitions at {RATE}/s, from the API server's reply to the message: median "
        f"{milliseconds(median)} ms (limit {milliseconds(_MEDIAN_SECONDS)}), p99 "
        f"{milliseconds(p99)} ms (limit {milliseconds(_P99_SECONDS)}); from the request on "
        f"{milliseconds(percentile(whole, 50))} / {milliseconds(percentile(whole, 99))} ms; "
        f"{wrong} wrong"
    )
    values = {
        "transitions": len(made),
        "median_ms": milliseconds(median),
        "p99_ms": milliseconds(p99),
        "from_request_median_ms": milliseconds(percentile(whole, 50)),
        "from_request_p99_ms": milliseconds(percentile(whole, 99)),
        "longest_ms": milliseconds(max(waits)),
        "wrong": wrong,
    }
    holds = median < _MEDIAN_SECONDS and p99 < _P99_SECONDS and not wrong
    return Figure(name, holds, text, values)
