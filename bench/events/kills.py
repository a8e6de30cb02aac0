"""`kill -9` of the watcher and of its broker at random moments of random changes.

What was told is held against a recorder of the API server's changes that is never killed.
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
from bench.events.ground import Ground, ground
from bench.events.recorder import Recorder, faults
from bench.events.versions import Changer, leases
from bench.events.watchers import Watcher
from bench.figures import Figure

NAMESPACE = "bench-events"
_PROCESSES, _PODS, _RESTARTS, _CHANGES = 190, 10, 20, 500
_AWAY_SECONDS = 120.0
_PAUSE_SECONDS = 0.6
"""Between two changes, on average."""
_SETTLE_SECONDS = 90.0
_TAKEOVER_SECONDS = 45.0
_SEED = 7
_POSITION = "model-deployment.io/position"
_RECORD = "model-deployment.io/record"


@dataclass
class _Drill:
    ground: Ground
    changer: Changer
    chance: random.Random
    killed: int = 0
    pods_killed: int = 0
    restarts: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    async def change(self, count: int) -> None:
        """At least so many, and as long as anything is killed."""
        while self.changer.made < count or not self.over:
            await self.changer.change()
            self.changed.set()
            await asyncio.sleep(self.chance.uniform(0, 2 * _PAUSE_SECONDS))

    def _watcher(self) -> Watcher:
        place = self.ground
        return Watcher(place.namespace, place.access, place.broker, place.folder / "watcher.log")

    async def begin(self) -> None:
        """A first watcher leaves its place: what happened before it stood is owed to nobody."""
        watcher = self._watcher()
        await watcher.start()
        try:
            await watcher.ready()
            async with asyncio.timeout(_TAKEOVER_SECONDS):
                while not await self._has_place():
                    await asyncio.sleep(0.1)
        finally:
            await watcher.end(signal.SIGTERM)

    async def _has_place(self) -> bool:
        path = f"{leases(self.ground.namespace)}/deployment-watcher"
        metadata = cast("dict[str, object]", (await self.ground.kube.send("GET", path))["metadata"])
        return _POSITION in cast("dict[str, str]", metadata.get("annotations", {}))

    async def kill_processes(self, count: int) -> None:
        """Half of them at any moment of their lives, half right after a change."""
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
                    log = (self.ground.folder / "watcher.log").read_text()[-2000:]
                    raise RuntimeError(f"the watcher ended by itself with {status}: {log}")
                self.killed += 1
        finally:
            await watcher.end()

    async def restart_broker(self, count: int, away: float) -> None:
        """The first time it stays away for long."""
        broker: Node = self.ground.broker
        while self.restarts < count:
            await asyncio.sleep(self.chance.uniform(0, 6))
            await asyncio.to_thread(broker.kill)
            await asyncio.sleep(self.chance.uniform(0, 2) if self.restarts else away)
            await asyncio.to_thread(broker.start)
            self.restarts += 1

    async def kill_pods(self, count: int) -> None:
        """The one that leads, each time."""
        namespace = self.ground.namespace
        await asyncio.to_thread(pods.deploy, namespace, self.ground.broker)
        while self.pods_killed < count:
            victim = await self._other_leader("bench")
            await asyncio.sleep(self.chance.uniform(0, 2))
            await asyncio.to_thread(pods.kill, namespace, victim)
            self.pods_killed += 1
            await self._other_leader(victim)

    async def _other_leader(self, than: str) -> str:
        async with asyncio.timeout(_TAKEOVER_SECONDS):
            while (now := await asyncio.to_thread(pods.leader, self.ground.namespace)) in {
                "",
                than,
            }:
                await asyncio.sleep(0.3)
        return now

    async def all_told(self, recorder: Recorder) -> bool:
        """Wait until as much is confirmed as is owed; False if that never comes."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            owed = sum(len(told) for told in recorder.owed().values())
            if await self._confirmed() == owed:
                await asyncio.sleep(2)  # and not more than that
                return await self._confirmed() == owed
            await asyncio.sleep(0.5)
        return False

    async def _confirmed(self) -> int:
        found = await self.ground.kube.send("GET", leases(self.ground.namespace))
        told = 0
        for lease in cast("list[dict[str, dict[str, dict[str, str]]]]", found["items"]):
            text = lease["metadata"].get("annotations", {}).get(_RECORD)
            told += json.loads(text)["confirmed"] if text else 0
        return told


async def kills(scale: float) -> Figure:
    """The whole drill; `scale` shortens all of it."""
    begun = time.monotonic()
    chance = random.Random(_SEED)  # noqa: S311 - repeatable is what it shall be
    host = pods.address_of_node()
    async with ground(NAMESPACE, host) as place:
        recorder = Recorder(place.kube, NAMESPACE)
        drill = _Drill(place, Changer(place.kube, NAMESPACE, chance), chance)
        await drill.begin()
        async with recorder.running(await place.revision()):
            async with asyncio.TaskGroup() as group:
                group.create_task(drill.change(_some(_CHANGES, scale)))
                async with asyncio.TaskGroup() as killing:
                    killing.create_task(drill.kill_processes(_some(_PROCESSES, scale)))
                    away = max(5.0, _AWAY_SECONDS * scale)
                    killing.create_task(drill.restart_broker(_some(_RESTARTS, scale, 2), away))
                await drill.kill_pods(_some(_PODS, scale))
                drill.over = True
            settled = await drill.all_told(recorder)
        messages = await asyncio.to_thread(place.broker.messages)
        owed = recorder.owed()
    wrong, repeats = faults(owed, messages)
    for line in wrong:
        print(line)
    number = sum(len(told) for told in owed.values())
    text = (
        f"{drill.killed} processes and {drill.pods_killed} Pods killed, the broker "
        f"{drill.restarts} times, {drill.changer.made} changes in {time.monotonic() - begun:.0f} s:"
        f" {number} transitions owed, {len(messages) - repeats} told, {repeats} repeated under the "
        f"same id, {len(wrong)} faults{'' if settled else ', not settled'}"
    )
    values = {
        "killed_processes": drill.killed,
        "killed_pods": drill.pods_killed,
        "broker_restarts": drill.restarts,
        "changes": drill.changer.made,
        "owed": number,
        "told": len(messages) - repeats,
        "repeats": repeats,
        "faults": wrong,
    }
    return Figure("kills", settled and number > 0 and not wrong, text, values)


def _some(count: int, scale: float, least: int = 1) -> int:
    return max(least, round(count * scale))
