"""Records all changes of the API server and is never killed: against this the events are held.

It has eyes of its own, but judges by the watcher's pure functions: what state follows from which
objects is tested elsewhere; here it counts that nothing is lost on the way.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from bench.events import versions
from bench.events.broker import data_of
from bench.events.kube import Kube
from watcher import objects
from watcher.inventory import Inventory
from watcher.objects import Key
from watcher.transitions import Known, between

Told = dict[str, list[tuple[str, str]]]
"""Per version (`model/version`) its transitions in their order: (uid, state)."""
_FAR_FUTURE = 4e9
"""Seconds since the epoch: whatever fails only after a while has failed."""


@dataclass
class Recorder:
    """What happened in a namespace."""

    kube: Kube
    namespace: str
    history: list[tuple[int, bool, bool, bytes]] = field(default_factory=list)
    """(revision, whether a Pod, whether gone, object)"""

    @contextlib.asynccontextmanager
    async def running(self, since: int) -> AsyncIterator[None]:
        """Record while the block runs."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._record(path, since, is_pod=is_pod))
                for is_pod, path in (
                    (False, versions.deployments(self.namespace)),
                    (True, versions.pods(self.namespace)),
                )
            ]
            yield
            for task in tasks:
                task.cancel()

    async def _record(self, path: str, since: int, *, is_pod: bool) -> None:
        async for kind, item in self.kube.watch(path, since):
            parsed = objects.pod(item) if is_pod else objects.deployment(item)
            if parsed is not None:
                self.history.append((parsed.revision, is_pod, kind == "DELETED", item))

    def owed(self) -> Told:
        """All transitions, in the order of the cluster's revisions."""
        told: Told = {}
        known: dict[Key, Known] = {}
        inventory = Inventory()
        for _, is_pod, gone, item in sorted(self.history):
            parsed = objects.pod(item) if is_pod else objects.deployment(item)
            if parsed is None:
                continue
            key = inventory.apply(parsed, gone=gone)
            for owed in between(known.get(key), inventory.standing(key, _FAR_FUTURE)):
                known[key] = Known(owed.uid, owed.state, owed.image)
                told.setdefault("/".join(key), []).append((owed.uid, owed.state.value))
        return told


def faults(owed: Told, messages: Sequence[tuple[str, bytes]]) -> tuple[list[str], int]:
    """What is wrong with the messages, a line each, and how many were repeats."""
    first: dict[str, bytes] = {}
    wrong = []
    for message_id, body in messages:
        if first.setdefault(message_id, body) != body:
            wrong.append(f"{message_id} came with two contents")
    told: Told = {}
    sequences: dict[str, list[int]] = {}
    for message_id, body in first.items():
        data = data_of(body)
        subject = f"{data['model']}/{data['version']}"
        told.setdefault(subject, []).append((message_id.rpartition("-")[0], str(data["state"])))
        sequences.setdefault(subject, []).append(int(str(data["sequence"])))
    for subject in sorted({*owed, *told}):
        got = sequences.get(subject, [])
        if got != list(range(1, len(got) + 1)):
            wrong.append(f"{subject}: sequences {got}")
        if told.get(subject) != owed.get(subject):
            wrong.append(_difference(subject, owed.get(subject, []), told.get(subject, [])))
    return wrong, len(messages) - len(first)


def _difference(
    subject: str, owed: Sequence[tuple[str, str]], told: Sequence[tuple[str, str]]
) -> str:
    place = next(
        (number for number, pair in enumerate(zip(owed, told, strict=False)) if pair[0] != pair[1]),
        min(len(owed), len(told)),
    )
    return (
        f"{subject}: {len(told)} told of {len(owed)} owed; from {place + 1} on owed "
        f"{owed[place : place + 3]}, told {told[place : place + 3]}"
    )
