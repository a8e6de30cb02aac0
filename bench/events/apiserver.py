"""API server failures: connections cut, refused, and half-open; detected and recovered in time.

A proxy in front of the real API server fails; the API server itself is not touched.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from urllib.parse import urlsplit

from bench.events import versions
from bench.events.broker import data_of
from bench.events.drill_setup import DrillSetup, drill_setup
from bench.events.proxy import Proxy
from bench.events.watchers import Watcher
from bench.figures import Figure

NAMESPACE = "bench-events-apiserver"
_MOST_SECONDS = 90.0
_REFUSED_SECONDS = 20.0
_MODEL = "m0"
_PATH = f"/status/models/{_MODEL}/versions/v1"
_OK = 200


async def apiserver(_scale: float) -> list[Figure]:
    """Check after each failure that a change made meanwhile is shown and no event is lost."""
    async with drill_setup(NAMESPACE) as setup:
        address = urlsplit(setup.access.url)
        async with Proxy(address.hostname or "", address.port or 443) as proxy:
            through = replace(setup.access, url=f"https://127.0.0.1:{proxy.port}")
            log = setup.folder / "watcher.log"
            watcher = Watcher(NAMESPACE, through, setup.broker, log)
            body = versions.deployment(_MODEL, paused=False)
            await setup.kube.send("POST", versions.deployments(NAMESPACE), body)
            await _set_ready(setup, ready=True)
            await watcher.start()
            try:
                await watcher.ready()
                await _shows(watcher, "Available")
                figures = [
                    await _cut(setup, proxy, watcher),
                    await _refused(setup, proxy, watcher),
                    await _half_open(setup, proxy, watcher),
                ]
                states = await _published_states(setup, 4)
            finally:
                await watcher.end()
    expected = ["Available", "Unavailable", "Available", "Unavailable"]
    text = f"published {states}, expected {expected}"
    return [*figures, Figure("apiserver, nothing lost", states == expected, text, {"told": states})]


async def _published_states(setup: DrillSetup, count: int) -> list[str]:
    """Return the states of the published events; repeated events count once."""
    bodies: dict[str, bytes] = {}
    deadline = time.monotonic() + _MOST_SECONDS
    while len(bodies) < count and time.monotonic() < deadline:
        bodies |= dict(await asyncio.to_thread(setup.broker.messages))
        await asyncio.sleep(0.5)
    return [str(data_of(body)["state"]) for body in bodies.values()]


async def _set_ready(setup: DrillSetup, *, ready: bool) -> None:
    await versions.set_ready(setup.kube, NAMESPACE, _MODEL, ready=ready)


async def _shows(watcher: Watcher, state: str) -> float:
    """Return the seconds until the status shows the state."""
    begun = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * _MOST_SECONDS):
            while True:
                status, text = await watcher.get(_PATH)
                if status == _OK and json.loads(text)["state"] == state:
                    break
                await asyncio.sleep(0.1)
    return time.monotonic() - begun


async def _noticed(watcher: Watcher, *, stale: bool = True) -> float:
    """Return the seconds until the watcher's metric shows a stale (or current) status."""
    begun = time.monotonic()
    line = f"watcher_status_stale {float(stale)}"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * _MOST_SECONDS):
            while line not in (await watcher.get("/metrics", health=True))[1]:
                await asyncio.sleep(0.2)
    return time.monotonic() - begun


def _figure(name: str, noticed: float | None, recovered: float) -> Figure:
    total = (noticed or 0.0) + recovered
    detection = "" if noticed is None else f"noticed after {noticed:.1f} s, "
    text = f"{detection}true {recovered:.1f} s after recovery (limit {_MOST_SECONDS:.0f} in all)"
    values = {"noticed_seconds": noticed, "mended_seconds": round(recovered, 1)}
    return Figure(f"apiserver, {name}", total < _MOST_SECONDS, text, values)


async def _cut(setup: DrillSetup, proxy: Proxy, watcher: Watcher) -> Figure:
    proxy.cut()
    await _set_ready(setup, ready=False)
    return _figure("connections cut", None, await _shows(watcher, "Unavailable"))


async def _refused(setup: DrillSetup, proxy: Proxy, watcher: Watcher) -> Figure:
    await watcher.ready()  # leads again
    await _noticed(watcher, stale=False)
    proxy.refuse()
    await _set_ready(setup, ready=True)
    noticed = await _noticed(watcher)
    await asyncio.sleep(_REFUSED_SECONDS)
    proxy.restore()
    return _figure("refused", noticed, await _shows(watcher, "Available"))


async def _half_open(setup: DrillSetup, proxy: Proxy, watcher: Watcher) -> Figure:
    """Drop all traffic of open connections; new ones work after the detection."""
    await watcher.ready()  # leads again
    await _noticed(watcher, stale=False)
    proxy.swallow()
    await _set_ready(setup, ready=False)
    noticed = await _noticed(watcher)
    proxy.restore()
    return _figure("half-open", noticed, await _shows(watcher, "Unavailable"))
