"""The API server away: connections cut, refused, and half-open. Noticed and mended in time.

The real one stays as it is: a proxy of our own before it is what fails.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from urllib.parse import urlsplit

from bench.events import versions
from bench.events.broker import data_of
from bench.events.ground import Ground, ground
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
    """After each kind of failure a change that was made meanwhile must show, and none be lost."""
    async with ground(NAMESPACE) as place:
        address = urlsplit(place.access.url)
        async with Proxy(address.hostname or "", address.port or 443) as proxy:
            through = replace(place.access, url=f"https://127.0.0.1:{proxy.port}")
            log = place.folder / "watcher.log"
            watcher = Watcher(NAMESPACE, through, place.broker, log)
            made = versions.deployment(_MODEL, 0)
            await place.kube.send("POST", versions.deployments(NAMESPACE), made)
            await watcher.start()
            try:
                await watcher.ready()
                await _shows(watcher, "Available")
                figures = [
                    await _cut(place, proxy, watcher),
                    await _refused(place, proxy, watcher),
                    await _half_open(place, proxy, watcher),
                ]
                states = await _told(place, 4)
            finally:
                await watcher.end()
    wanted = ["Available", "Unavailable", "Available", "Unavailable"]
    text = f"told {states}, owed {wanted}"
    return [*figures, Figure("apiserver, nothing lost", states == wanted, text, {"told": states})]


async def _told(place: Ground, count: int) -> list[str]:
    """The states that were told; an event may be repeated, under its own id."""
    bodies: dict[str, bytes] = {}
    deadline = time.monotonic() + _MOST_SECONDS
    while len(bodies) < count and time.monotonic() < deadline:
        bodies |= dict(await asyncio.to_thread(place.broker.messages))
        await asyncio.sleep(0.5)
    return [str(data_of(body)["state"]) for body in bodies.values()]


async def _scale(place: Ground, replicas: int) -> None:
    path = f"{versions.deployments(NAMESPACE)}/{_MODEL}-v1"
    await place.kube.send("PATCH", path, {"spec": {"replicas": replicas}})


async def _shows(watcher: Watcher, state: str) -> float:
    """Seconds until the status says so."""
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
    """Seconds until the watcher itself says that what it knows may be old; or no longer."""
    begun = time.monotonic()
    line = f"watcher_status_stale {float(stale)}"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * _MOST_SECONDS):
            while line not in (await watcher.get("/metrics", health=True))[1]:
                await asyncio.sleep(0.2)
    return time.monotonic() - begun


def _figure(name: str, noticed: float | None, mended: float) -> Figure:
    whole = (noticed or 0.0) + mended
    said = "" if noticed is None else f"noticed after {noticed:.1f} s, "
    text = f"{said}true {mended:.1f} s after the mend (limit {_MOST_SECONDS:.0f} in all)"
    values = {"noticed_seconds": noticed, "mended_seconds": round(mended, 1)}
    return Figure(f"apiserver, {name}", whole < _MOST_SECONDS, text, values)


async def _cut(place: Ground, proxy: Proxy, watcher: Watcher) -> Figure:
    proxy.cut()
    await _scale(place, 1)
    return _figure("connections cut", None, await _shows(watcher, "Unavailable"))


async def _refused(place: Ground, proxy: Proxy, watcher: Watcher) -> Figure:
    await watcher.ready()  # leads again
    await _noticed(watcher, stale=False)
    proxy.refuse()
    await _scale(place, 0)
    noticed = await _noticed(watcher)
    await asyncio.sleep(_REFUSED_SECONDS)
    proxy.mend()
    return _figure("refused", noticed, await _shows(watcher, "Available"))


async def _half_open(place: Ground, proxy: Proxy, watcher: Watcher) -> Figure:
    """What stands is swallowed for ever; what is opened anew gets through once it is noticed."""
    await watcher.ready()  # leads again
    await _noticed(watcher, stale=False)
    proxy.swallow()
    await _scale(place, 1)
    noticed = await _noticed(watcher)
    proxy.mend()
    return _figure("half-open", noticed, await _shows(watcher, "Unavailable"))
