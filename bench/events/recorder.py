"""Record all changes of the API server, without being killed, to check the events against.

The recorder has a separate watch but uses the watcher's pure functions for states. Which state
follows from which objects is tested elsewhere; here no transition may be lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from bench.events import versions
from bench.events.broker import data_of
from bench.events.kube import Kube
from watcher import resources
from watcher.inventory import Inventory
from watcher.resources import VersionKey
from watcher.transitions import LastReported, diff

Transitions = dict[str, list[tuple[str, str]]]
"""The transitions of each version (`model/version`) in order, as (uid, state)."""
_FAR_FUTURE = 4e9
"""Seconds since the epoch, after every time limit of a state."""


@dataclass
class Recorder:
    """The changes in a namespace."""

    kube: Kube
    namespace: str
    history: list[tuple[int, bool, bool, bytes]] = field(default_factory=list)
    """(revision, whether a Pod, whether deleted, object)"""

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
            parsed = resources.parse_pod(item) if is_pod else resources.parse_deployment(item)
            if parsed is not None:
                self.history.append((parsed.revision, is_pod, kind == "DELETED", item))

    def expected(self) -> Transitions:
        """Return all transitions, in the order of the cluster's revisions."""
        transitions: Transitions = {}
        last: dict[VersionKey, LastReported] = {}
        inventory = Inventory()
        for _, is_pod, deleted, item in sorted(self.history):
            parsed = resources.parse_pod(item) if is_pod else resources.parse_deployment(item)
            if parsed is None:
                continue
            key = inventory.apply(parsed, deleted=deleted)
            for status in diff(last.get(key), inventory.status(key, _FAR_FUTURE)):
                last[key] = LastReported(status.uid, status.state, status.image)
                transitions.setdefault("/".join(key), []).append((status.uid, status.state.value))
        return transitions


def faults(expected: Transitions, messages: Sequence[tuple[str, bytes]]) -> tuple[list[str], int]:
    """Compare the messages; return a line for each fault and the number of repeats."""
    first: dict[str, bytes] = {}
    wrong = []
    for message_id, body in messages:
        if first.setdefault(message_id, body) != body:
            wrong.append(f"{message_id} came with two contents")
    published: Transitions = {}
    sequences: dict[str, list[int]] = {}
    for message_id, body in first.items():
        data = data_of(body)
        subject = f"{data['model']}/{data['version']}"
        published.setdefault(subject, []).append(
            (message_id.rpartition("-")[0], str(data["state"]))
        )
        sequences.setdefault(subject, []).append(int(str(data["sequence"])))
    for subject in sorted({*expected, *published}):
        got = sequences.get(subject, [])
        if got != list(range(1, len(got) + 1)):
            wrong.append(f"{subject}: sequences {got}")
        if published.get(subject) != expected.get(subject):
            wrong.append(
                _difference(subject, expected.get(subject, []), published.get(subject, []))
            )
    return wrong, len(messages) - len(first)


def _difference(
    subject: str, expected: Sequence[tuple[str, str]], published: Sequence[tuple[str, str]]
) -> str:
    position = next(
        (
            number
            for number, pair in enumerate(zip(expected, published, strict=False))
            if pair[0] != pair[1]
        ),
        min(len(expected), len(published)),
    )
    return (
        f"{subject}: {len(published)} published of {len(expected)} expected; from "
        f"{position + 1} on expected {expected[position : position + 3]}, "
        f"published {published[position : position + 3]}"
    )
