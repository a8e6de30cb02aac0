"""5,000 Deployments and 10,000 Pods: the first list, memory, idle CPU, the status."""

import asyncio
import os
import re
import time
from pathlib import Path

import aiohttp

from bench.events.standalone_apiserver import fill, standalone_setup
from bench.events.watchers import Watcher
from bench.figures import Figure, milliseconds
from bench.traffic.client import percentile

NAMESPACE = "models"
_DEPLOYMENTS, _PODS = 5000, 10_000
_LIST_SECONDS, _MIB, _PERCENT, _STATUS_SECONDS = 20.0, 200.0, 2.0, 0.005
_REST_SECONDS = 60.0
_REQUESTS = 3000
_CONFIRM_SECONDS = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PUBLISHED = re.compile(r"^watcher_events_published_total (\S+)", re.MULTILINE)


async def scale(scale: float) -> Figure:
    """Measure with a standalone API server, without kubelet and controllers."""
    deployments, pods = max(100, round(_DEPLOYMENTS * scale)), max(200, round(_PODS * scale))
    async with standalone_setup(NAMESPACE) as setup:
        await fill(setup, deployments, pods)
        watcher = Watcher(NAMESPACE, setup.access, setup.broker, setup.folder / "watcher.log")
        try:
            return await _measured(watcher, deployments, pods, max(10, _REST_SECONDS * scale))
        finally:
            await watcher.end()


async def _measured(watcher: Watcher, deployments: int, pods: int, idle_seconds: float) -> Figure:
    begun = time.monotonic()
    await watcher.start()
    await watcher.ready()
    ready = time.monotonic() - begun
    async with asyncio.timeout(_CONFIRM_SECONDS):
        while await _published(watcher) < deployments:
            await asyncio.sleep(0.5)
    confirmed = time.monotonic() - begun
    waits = await _status(watcher, deployments)
    before = _cpu_seconds(watcher.pid)
    await asyncio.sleep(idle_seconds)
    percent = 100 * (_cpu_seconds(watcher.pid) - before) / idle_seconds
    mib = _peak_mib(watcher.pid)
    p99 = percentile(waits, 99)
    text = (
        f"{deployments} Deployments and {pods} Pods: ready after {ready:.1f} s (limit "
        f"{_LIST_SECONDS:.0f}), {mib:.0f} MiB at most ({_MIB:.0f}), {percent:.1f} % of a core at "
        f"rest ({_PERCENT:.0f}), status of one model p99 {milliseconds(p99)} ms "
        f"({milliseconds(_STATUS_SECONDS)}); first events all confirmed after {confirmed:.0f} s"
    )
    values = {
        "ready_seconds": round(ready, 1),
        "peak_mib": round(mib),
        "rest_percent": round(percent, 2),
        "status_p99_ms": milliseconds(p99),
        "told_seconds": round(confirmed, 1),
    }
    holds = ready < _LIST_SECONDS and mib < _MIB and percent < _PERCENT and p99 < _STATUS_SECONDS
    return Figure("scale", holds, text, values)


async def _published(watcher: Watcher) -> float:
    match = _PUBLISHED.search((await watcher.get("/metrics", health=True))[1])
    return float(match[1]) if match else 0.0


async def _status(watcher: Watcher, models: int) -> list[float]:
    """Request single models one by one; return the seconds of each request."""
    waits = []
    base = f"http://127.0.0.1:{watcher.port}/status/models/m"
    async with aiohttp.ClientSession() as session:
        for number in range(_REQUESTS):
            begun = time.monotonic()
            async with session.get(f"{base}{number * 7 % models}") as answer:
                await answer.read()
                answer.raise_for_status()
            waits.append(time.monotonic() - begun)
    return waits


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_mib(pid: int) -> float:
    [line] = re.findall(
        r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    return int(line) / 1024
