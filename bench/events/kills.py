"""`kill -9` of the watcher and of its broker at random moments of random changes.

The messages are compared with a recorder of the API server's changes that is never killed.
"""

import asyncio
import json
import random
import signal
import time
from dataclasses import dataclass, field
from typing import cast

from bench.events import pods
from bench.events.broker import Node
from bench.events.drill_setup import DrillSetup, drill_setup
from bench.events.recorder import Recorder, faults
from bench.events.versions import Changer, leases
from bench.events.watchers import Watcher
from bench.figures import Figure

NAMESPACE = "bench-events"
_PROCESSES, _PODS, _RESTARTS, _CHANGES = 190, 10, 20, 500
_AWAY_SECONDS = 120.0
_PAUSE_SECONDS = 0.6
"""Average time between two changes."""
_SETTLE_SECONDS = 90.0
_TAKEOVER_SECONDS = 45.0
_SEED = 7
_RESUME_REVISION = "model-deployment.io/position"
_RECORD = "model-deployment.io/record"


@dataclass
class _Drill:
    setup: DrillSetup
    changer: Changer
    chance: random.Random
    killed: int = 0
    pods_killed: int = 0
    restarts: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    async def change(self, count: int) -> None:
        """Make at least this number of changes, and go on while anything is killed."""
        while self.changer.changes < count or not self.over:
            await self.changer.change()
            self.changed.set()
            await asyncio.sleep(self.chance.uniform(0, 2 * _PAUSE_SECONDS))

    def _watcher(self) -> Watcher:
        setup = self.setup
        return Watcher(setup.namespace, setup.access, setup.broker, setup.folder / "watcher.log")

    async def begin(self) -> None:
        """Run a first watcher until it stores its resume revision; earlier changes do not count."""
        watcher = self._watcher()
        await watcher.start()
        try:
            await watcher.ready()
            async with asyncio.timeout(_TAKEOVER_SECONDS):
                while not await self._has_resume_revision():
                    await asyncio.sleep(0.1)
        finally:
            await watcher.end(signal.SIGTERM)

    async def _has_resume_revision(self) -> bool:
        path = f"{leases(self.setup.namespace)}/deployment-watcher"
        metadata = cast("dict[str, object]", (await self.setup.kube.send("GET", path))["metadata"])
        return _RESUME_REVISION in cast("dict[str, str]", metadata.get("annotations", {}))

    async def kill_processes(self, count: int) -> None:
        """Kill half of the processes at a random moment, half right after a change."""
        watcher = self._watcher()
        try:
            while self.killed < count:
                await watcher.start()
                await asyncio.sleep(self.chance.uniform(0.2, 3))
                if self.killed % 2:
                    self.changed.clear()
                    await self.changed.wait()
                    await asyncio.sleep(self.chance.uniform(0, 0.08))
                status = await watcher.end()
                if status != -9:  # noqa: PLR2004 - SIGKILL
                    log = (self.setup.folder / "watcher.log").read_text()[-2000:]
                    raise RuntimeError(f"the watcher exited with {status}: {log}")
                self.killed += 1
        finally:
            await watcher.end()

    async def restart_broker(self, count: int, away: float) -> None:
        """Kill and start the broker; the first time it is unavailable for long."""
        broker: Node = self.setup.broker
        while self.restarts < count:
            await asyncio.sleep(self.chance.uniform(0, 6))
            await asyncio.to_thread(broker.kill)
            await asyncio.sleep(self.chance.uniform(0, 2) if self.restarts else away)
            await asyncio.to_thread(broker.start)
            self.restarts += 1

    async def kill_pods(self, count: int) -> None:
        """Kill the leader's Pod each time."""
        namespace = self.setup.namespace
        await asyncio.to_thread(pods.deploy, namespace, self.setup.broker)
        while self.pods_killed < count:
            victim = await self._other_leader("bench")
            await asyncio.sleep(self.chance.uniform(0, 2))
            await asyncio.to_thread(pods.kill, namespace, victim)
            self.pods_killed += 1
            await self._other_leader(victim)

    async def _other_leader(self, than: str) -> str:
        async with asyncio.timeout(_TAKEOVER_SECONDS):
            while (now := await asyncio.to_thread(pods.leader, self.setup.namespace)) in {
                "",
                than,
            }:
                await asyncio.sleep(0.3)
        return now

    async def all_confirmed(self, recorder: Recorder) -> bool:
        """Wait until all expected events are confirmed; return False after a time limit."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            expected = sum(len(transitions) for transitions in recorder.expected().values())
            if await self._confirmed() == expected:
                await asyncio.sleep(2)  # no more events may follow
                return await self._confirmed() == expected
            await asyncio.sleep(0.5)
        return False

    async def _confirmed(self) -> int:
        lease_list = await self.setup.kube.send("GET", leases(self.setup.namespace))
        confirmed = 0
        for lease in cast("list[dict[str, dict[str, dict[str, str]]]]", lease_list["items"]):
            text = lease["metadata"].get("annotations", {}).get(_RECORD)
            confirmed += json.loads(text)["confirmed"] if text else 0
        return confirmed


async def kills(scale: float) -> Figure:
    """Run the drill; `scale` shortens all of its parts."""
    begun = time.monotonic()
    chance = random.Random(_SEED)  # noqa: S311 - the drill is repeatable
    host = pods.address_of_node()
    async with drill_setup(NAMESPACE, host) as setup:
        recorder = Recorder(setup.kube, NAMESPACE)
        drill = _Drill(setup, Changer(setup.kube, NAMESPACE, chance), chance)
        await drill.begin()
        async with recorder.running(await setup.revision()):
            async with asyncio.TaskGroup() as group:
                group.create_task(drill.change(_scaled(_CHANGES, scale)))
                async with asyncio.TaskGroup() as killing:
                    killing.create_task(drill.kill_processes(_scaled(_PROCESSES, scale)))
                    away = max(5.0, _AWAY_SECONDS * scale)
                    killing.create_task(drill.restart_broker(_scaled(_RESTARTS, scale, 2), away))
                await drill.kill_pods(_scaled(_PODS, scale))
                drill.over = True
            settled = await drill.all_confirmed(recorder)
        messages = await asyncio.to_thread(setup.broker.messages)
        expected = recorder.expected()
    wrong, repeats = faults(expected, messages)
    for line in wrong:
        print(line)
    number = sum(len(transitions) for transitions in expected.values())
    text = (
        f"{drill.killed} processes and {drill.pods_killed} Pods killed, the broker "
        f"{drill.restarts} times, {drill.changer.changes} changes in "
        f"{time.monotonic() - begun:.0f} s: {number} transitions expected, "
        f"{len(messages) - repeats} published, {repeats} repeated under the same id, "
        f"{len(wrong)} faults"
        f"{'' if settled else ', not settled'}"
    )
    values = {
        "killed_processes": drill.killed,
        "killed_pods": drill.pods_killed,
        "broker_restarts": drill.restarts,
        "changes": drill.changer.changes,
        "owed": number,
        "told": len(messages) - repeats,
        "repeats": repeats,
        "faults": wrong,
    }
    return Figure("kills", settled and number > 0 and not wrong, text, values)


def _scaled(count: int, scale: float, least: int = 1) -> int:
    return max(least, round(count * scale))
