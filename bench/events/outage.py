"""An outage of watcher and RabbitMQ, under load on the models of the running stack.

It works in the namespace of the stack: it scales both to zero and back, creates a version without
a route, scales it to zero during the outage, and deletes it.
"""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from typing import cast

from bench.events.versions import deployment, readiness, selector
from bench.figures import Figure
from bench.traffic.client import Answer, Client, paced
from bench.traffic.cluster import get, kubectl

_RATE = 100
_AWAY_SECONDS = 300.0
_BEFORE_SECONDS, _AFTER_SECONDS = 3.0, 60.0
_WATCHER, _BROKER = "deployment/deployment-watcher", "statefulset/message-broker"
_MODEL = "bench-outage"
_VERSION = f"/status/models/{_MODEL}/versions/v1"
_LAST = "Unavailable"
Object = dict[str, object]


class _Stack:
    def __init__(self, namespace: str, entry_point: str) -> None:
        self.namespace, self.entry_point = namespace, entry_point

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def replicas(self, name: str) -> str:
        workload = get("-n", self.namespace, name)
        return str(cast("Object", workload["spec"])["replicas"])

    def scale(self, name: str, replicas: str) -> None:
        self.kubectl("scale", name, f"--replicas={replicas}")
        self.kubectl("rollout", "status", name, "--timeout=120s")

    def make_ready(self, seconds: float) -> None:
        """Write the status of this drill's Pod, which no node runs."""
        deadline = time.monotonic() + seconds
        name = ""
        while not name and time.monotonic() < deadline:
            name = self.kubectl("get", "pods", f"--selector={selector(_MODEL)}", "-o", "name")
            time.sleep(0.5)
        change = json.dumps(readiness(ready=True))
        self.kubectl("patch", name.strip(), "--subresource=status", "--type=merge", "-p", change)

    def state(self) -> str:
        """Return the state of this drill's version in the status; empty without a response."""
        try:
            with urllib.request.urlopen(self.entry_point + _VERSION, timeout=5) as answer:  # noqa: S310
                return str(json.load(answer)["state"])
        except (urllib.error.URLError, OSError, ValueError):
            return ""

    async def becomes(self, state: str, seconds: float) -> float | None:
        """Return the seconds until the status shows the state; None after `seconds`."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if await asyncio.to_thread(self.state) == state:
                return time.monotonic() - begun
            await asyncio.sleep(0.2)
        return None

    async def wait_for_deleted_event(self, seconds: float) -> None:
        """Wait until the deletion is confirmed: before that, the watcher recreates its record."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            record = await asyncio.to_thread(self._record)
            if record["state"] == "Deleted" and record["sequence"] == record["confirmed"]:
                return
            await asyncio.sleep(0.3)

    def _record(self) -> Object:
        metadata = cast("Object", get("-n", self.namespace, "lease", f"{_MODEL}-v1")["metadata"])
        annotations = cast("dict[str, str]", metadata["annotations"])
        return cast("Object", json.loads(annotations["model-deployment.io/record"]))

    def streamed(self, seconds: float) -> list[str]:
        """Return the events of the version from the start of the event stream."""
        deadline = time.monotonic() + seconds
        events: list[str] = []
        while time.monotonic() < deadline and not (events and events[-1].endswith(_LAST)):
            # a starting replica responds with 503
            with contextlib.suppress(TimeoutError, urllib.error.HTTPError):
                events = self._streamed_once(deadline)
            time.sleep(0.5)
        return events

    def _streamed_once(self, deadline: float) -> list[str]:
        request = urllib.request.Request(f"{self.entry_point}/status/events")  # noqa: S310 - http
        request.add_header("Last-Event-ID", "0")
        events: list[str] = []
        with urllib.request.urlopen(request, timeout=5) as stream:  # noqa: S310
            while time.monotonic() < deadline and not (events and events[-1].endswith(_LAST)):
                line = stream.readline().decode()
                if not line:
                    break
                if line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "))["data"]
                    if data["model"] == _MODEL:
                        events.append(f"{data['sequence']} {data['state']}")
        return events


async def outage(
    scale: float, namespace: str = "models", entry_point: str = "http://localhost:8000"
) -> Figure:
    """Check that no prediction fails and that status and event stream recover."""
    stack = _Stack(namespace, entry_point)
    before = {name: stack.replicas(name) for name in (_WATCHER, _BROKER)}
    away = max(10.0, _AWAY_SECONDS * scale)
    stack.kubectl("apply", "-f-", stdin=json.dumps(deployment(_MODEL, paused=False)))
    try:
        await asyncio.to_thread(stack.make_ready, 30)
        first = await stack.becomes("Available", 30)
        ended = asyncio.Event()
        load = asyncio.create_task(_load(_port(entry_point), ended))
        try:
            await asyncio.sleep(_BEFORE_SECONDS)
            await _away(stack, before, away)
            back = await stack.becomes("Unavailable", _AFTER_SECONDS)
            streamed = await asyncio.to_thread(stack.streamed, 30) if back is not None else []
        finally:
            ended.set()
            answers = await load
    finally:
        for name, replicas in before.items():
            await asyncio.to_thread(stack.scale, name, replicas)
        kubectl("-n", namespace, "delete", "deployment", f"{_MODEL}-v1", "--ignore-not-found")
        await stack.wait_for_deleted_event(_AFTER_SECONDS)
        kubectl("-n", namespace, "delete", "lease", f"{_MODEL}-v1", "--ignore-not-found")
    return _figure(answers, away, first, back, streamed)


async def _away(stack: _Stack, before: dict[str, str], seconds: float) -> None:
    for name in before:
        await asyncio.to_thread(stack.kubectl, "scale", name, "--replicas=0")
    await asyncio.sleep(seconds / 2)
    change = json.dumps({"spec": {"replicas": 0}})
    await asyncio.to_thread(stack.kubectl, "patch", "deployment", f"{_MODEL}-v1", "-p", change)
    await asyncio.sleep(seconds / 2)
    for name, replicas in before.items():
        await asyncio.to_thread(stack.kubectl, "scale", name, f"--replicas={replicas}")


async def _load(port: int, ended: asyncio.Event) -> list[Answer]:
    client = Client(port)
    answers: list[Answer] = []
    while not ended.is_set():
        answers += await paced(client, ["/models/echo/prod/model"], _RATE, _RATE)
    await client.close()
    return answers


def _port(entry_point: str) -> int:
    return int(entry_point.rpartition(":")[2])


def _figure(
    answers: list[Answer],
    away: float,
    first: float | None,
    back: float | None,
    streamed: list[str],
) -> Figure:
    failed = [answer for answer in answers if not answer.ok]
    recovery = "never" if back is None else f"after {back:.1f} s"
    text = (
        f"{len(failed)} of {len(answers)} predictions failed while watcher and broker were away "
        f"for {away:.0f} s; the status was correct {recovery}, the stream {streamed}"
    )
    values: dict[str, object] = {
        "requests": len(answers),
        "failed": len(failed),
        "errors": sorted({f"{answer.status} {answer.error}".strip() for answer in failed}),
        "away_seconds": away,
        "true_after_seconds": back,
        "streamed": streamed,
    }
    holds = not failed and first is not None and back is not None
    return Figure("outage", holds and bool(streamed) and streamed[-1].endswith(_LAST), text, values)
