"""The loop around the verdicts: dull, and with two ends - ready, or told why not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local.plugins.kubernetes.cluster import Cluster
from local.plugins.kubernetes.identity import id_of, parse
from local.plugins.kubernetes.readiness.judges import Judge, why_not_ready
from local.plugins.kubernetes.readiness.verdict import Problem, Verdict
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import Object

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 1.5
"""Seconds between two looks; many waits at once must not load the API server."""

Report = Callable[[str], Awaitable[None]]


class NotReadyError(Exception):
    """The object exists, but will not be ready, or was not in time."""

    def __init__(self, reason: str, live: Object) -> None:
        super().__init__(reason)
        self.live = live


@dataclass(frozen=True)
class Waiting:
    """What every wait needs."""

    cluster: Cluster
    cancelled: asyncio.Event
    report: Report

    async def pause(self, seconds: float) -> bool:
        """Whether the user wants to stop, after at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.cancelled.wait(), seconds)
        return self.cancelled.is_set()

    async def until_ready(self, kind: Kind, live: Object, judge: Judge, seconds: float) -> Object:
        """The object once it is ready; `NotReadyError` with its own reason otherwise."""
        started, pause = time.monotonic(), FIRST_PAUSE
        steady = 0.0
        since: dict[tuple[str, str], float] = {}
        while True:
            verdict = await asyncio.to_thread(judge, self.cluster, live)
            now = time.monotonic()
            steady = (steady or now) if verdict.ready else 0.0
            if verdict.ready and now - steady >= verdict.settle:
                return live
            final = lasting(verdict.problems, since, now)
            waited = now - started
            if final or waited >= seconds:
                limit = f"within {seconds:.0f} s" if not final else f"({waited:.0f} s waited)"
                raise await self._refusal(kind, live, verdict, limit)
            await self.report(_progress(verdict))
            if await self.pause(min(pause, max(seconds - waited, 0.05))):
                raise NotReadyError(f"Cancelled while waiting: {verdict.note}.", live)
            pause = min(pause * 1.4, LONGEST_PAUSE)
            live = await self._again(kind, live)

    async def _again(self, kind: Kind, live: Object) -> Object:
        namespace, name = parse(id_of(live))
        found = await asyncio.to_thread(self.cluster.get, kind, namespace, name)
        if found is None:
            raise NotReadyError(f"{kind.kind} {id_of(live)} was deleted meanwhile.", live)
        return found

    async def _refusal(
        self, kind: Kind, live: Object, verdict: Verdict, limit: str
    ) -> NotReadyError:
        told = await asyncio.to_thread(why_not_ready, self.cluster, kind, live, verdict)
        return NotReadyError(message(kind, live, told, limit), live)

    async def until_gone(
        self, kind: Kind, namespace: str, name: str, seconds: float
    ) -> Object | None:
        """None once it is gone, else the object that is still there after `seconds`."""
        started, pause = time.monotonic(), FIRST_PAUSE / 2
        while True:
            live = await asyncio.to_thread(self.cluster.get, kind, namespace, name)
            if live is None or time.monotonic() - started >= seconds:
                return live
            if await self.pause(pause):
                return live
            pause = min(pause * 1.4, LONGEST_PAUSE)


def lasting(
    problems: tuple[Problem, ...], since: dict[tuple[str, str], float], now: float
) -> list[Problem]:
    """The problems that have lasted longer than they may; `since` remembers the first sight."""
    present = {(problem.subject, problem.cause) for problem in problems}
    for passed in set(since) - present:
        del since[passed]
    for key in present:
        since.setdefault(key, now)
    return [
        problem
        for problem in problems
        if now - since[problem.subject, problem.cause] >= problem.patience
    ]


def _progress(verdict: Verdict) -> str:
    if not verdict.problems:
        return verdict.note
    worst = verdict.problems[0]
    return f"{verdict.note}; {worst.subject}: {worst.story.splitlines()[0]}"


def message(kind: Kind, live: Object, verdict: Verdict, limit: str) -> str:
    """The reason as the user reads it."""
    lines = [f"{kind.kind} {id_of(live)} is not ready {limit}: {verdict.note}."]
    stories = dict.fromkeys(f"  {item.subject}: {item.story}" for item in verdict.problems)
    lines += stories
    if verdict.next_step:
        lines.append(f"  See more: {verdict.next_step}")
    return "\n".join(lines)
