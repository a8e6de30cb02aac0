"""Time from the API server's write of a transition to its confirmed message, under load."""

import asyncio
import json
import threading
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from bench.events import versions
from bench.events.broker import QUEUE, Node
from bench.events.drill_setup import DrillSetup, drill_setup
from bench.events.standalone_apiserver import standalone_setup
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
    """Record when each event arrives: a queue delivers it once it is stored and confirmed."""

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
class _Transition:
    model: str
    sequence: int
    state: str
    sent: float
    replied: float


async def latency(scale: float) -> list[Figure]:
    """Move Pods into a crash loop and out of it; each change of a Pod's status is a transition.

    Measure with the API server of the local stack, whose other processes share the cores, and with
    a standalone one.
    """
    return [
        await _measured("latency", drill_setup(NAMESPACE), scale),
        await _measured("latency, API server alone", standalone_setup(NAMESPACE), scale),
    ]


async def _measured(
    name: str, where: AbstractAsyncContextManager[DrillSetup], scale: float
) -> Figure:
    async with where as setup:
        watcher = Watcher(NAMESPACE, setup.access, setup.broker, setup.folder / "watcher.log")
        consumer = _Consumer(setup.broker)
        thread = threading.Thread(target=consumer.run)
        thread.start()
        try:
            await _prepare(setup, watcher, consumer)
            transitions = await _load(setup, max(100, round(RATE * _SECONDS * scale)))
            await _arrived(consumer, len(transitions))
        finally:
            consumer.over.set()
            await asyncio.to_thread(thread.join)
            await watcher.end()
    return _figure(name, transitions, consumer)


async def _prepare(setup: DrillSetup, watcher: Watcher, consumer: _Consumer) -> None:
    await asyncio.to_thread(consumer.listening.wait)
    for number in range(_MODELS):
        model = f"m{number}"
        await setup.kube.send("POST", versions.deployments(NAMESPACE), versions.deployment(model))
        await setup.kube.send("POST", versions.pods(NAMESPACE), versions.pod(model))
    await asyncio.sleep(5)  # until the Deployment controller has written all conditions
    await watcher.start()
    await watcher.ready()
    await _arrived(consumer, _MODELS)
    consumer.arrived.clear()


async def _load(setup: DrillSetup, count: int) -> list[_Transition]:
    transitions: list[_Transition] = []

    async def change_pod(number: int) -> None:
        model, turn = f"m{number % _MODELS}", number // _MODELS
        failing = turn % 2 == 0
        path = f"{versions.pods(NAMESPACE)}/{model}-v1-0/status"
        sent = time.monotonic()
        await setup.kube.send("PATCH", path, versions.status(failing=failing))
        state = "Failed" if failing else "Progressing"
        transitions.append(_Transition(model, turn + 2, state, sent, time.monotonic()))

    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0, begun + number / RATE - time.monotonic()))
            group.create_task(change_pod(number))
    return transitions


async def _arrived(consumer: _Consumer, count: int) -> None:
    async with asyncio.timeout(_WAIT_SECONDS):
        while len(consumer.arrived) < count:
            await asyncio.sleep(0.05)


def _figure(name: str, transitions: list[_Transition], consumer: _Consumer) -> Figure:
    waits, from_request, wrong = [], [], 0
    for transition in transitions:
        at, state = consumer.arrived[transition.model, transition.sequence]
        wrong += state != transition.state
        waits.append(max(0.0, at - transition.replied))
        from_request.append(at - transition.sent)
    median, p99 = percentile(waits, 50), percentile(waits, 99)
    text = (
        f"{len(transitions)} transitions at {RATE}/s, from the API server's reply to the message: "
        f"median {milliseconds(median)} ms (limit {milliseconds(_MEDIAN_SECONDS)}), p99 "
        f"{milliseconds(p99)} ms (limit {milliseconds(_P99_SECONDS)}); from the request on "
        f"{milliseconds(percentile(from_request, 50))} / "
        f"{milliseconds(percentile(from_request, 99))} ms; {wrong} wrong"
    )
    values = {
        "transitions": len(transitions),
        "median_ms": milliseconds(median),
        "p99_ms": milliseconds(p99),
        "from_request_median_ms": milliseconds(percentile(from_request, 50)),
        "from_request_p99_ms": milliseconds(percentile(from_request, 99)),
        "longest_ms": milliseconds(max(waits)),
        "wrong": wrong,
    }
    holds = median < _MEDIAN_SECONDS and p99 < _P99_SECONDS and not wrong
    return Figure(name, holds, text, values)
