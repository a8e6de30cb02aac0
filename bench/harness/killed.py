"""R processes killed under load: what fails, and whether health answers meanwhile."""

import asyncio
import os
import signal
import time
from pathlib import Path

from bench.figures import Figure, milliseconds
from bench.harness import processes
from bench.harness.plumber import ours
from bench.harness.servers import Call, Server, ask
from bench.traffic.client import Answer, Client, flood

REQUESTS = 10_000
ROUNDS = 5
"""Of REQUESTS each, with one process killed in the middle."""
HEALTH_SECONDS = 0.05
_BETWEEN_LOOKS = 0.01
_LIVE = Call("/health/live", b"", b"")
_OK = 200


def run(scale: float) -> list[Figure]:
    """With one and with two workers."""
    return [_figure(workers, max(1, round(ROUNDS * scale))) for workers in (1, 2)]


def _figure(workers: int, rounds: int) -> Figure:
    with ours("predict", workers) as server:
        seen = [asyncio.run(_round(server)) for _ in range(rounds)]
    failed = [sum(not answer.ok for answer in answers) for answers, _ in seen]
    health = max(max(looks) for _, looks in seen)
    longest = max(max(answer.seconds for answer in answers) for answers, _ in seen)
    count = sum(len(looks) for _, looks in seen)
    text = (
        f"{', '.join(map(str, failed))} of {REQUESTS} failed, one R process killed in each, wanted "
        f"1 at most; the slowest took {milliseconds(longest)} ms; health {milliseconds(health)} ms "
        f"at most of {count} looks, wanted {milliseconds(HEALTH_SECONDS)}"
    )
    values = {"failed": failed, "health_ms": milliseconds(health), "looks": count}
    holds = max(failed) <= 1 and health < HEALTH_SECONDS
    return Figure(f"r-killed-{workers}", holds, text, values)


async def _round(server: Server) -> tuple[list[Answer], list[float]]:
    client = Client(server.port)
    call = server.calls["predict"]
    load = asyncio.create_task(flood(client, call.path, REQUESTS, body=call.body))
    looking = asyncio.create_task(asyncio.to_thread(_look, server, load))
    before = _of_r(server)
    await asyncio.sleep(2)
    os.kill(before[0], signal.SIGKILL)
    answers = await load
    await client.close()
    if before[0] in _of_r(server):
        raise SystemExit(f"R {before[0]} outlived its kill")
    return answers, await looking


def _look(server: Server, load: "asyncio.Task[list[Answer]]") -> list[float]:
    looks = []
    while not load.done():
        began = time.perf_counter()
        status, body = ask(server.health_port, _LIVE)
        looks.append(time.perf_counter() - began)
        if status != _OK:
            raise SystemExit(f"{server.name} has lost its health: {status} {body!r}")
        time.sleep(_BETWEEN_LOOKS)
    return looks


def _of_r(server: Server) -> list[int]:
    tree = processes.of_tree(server.process.pid)
    return [one for one in tree if Path(f"/proc/{one}/comm").read_text().strip() == "R"]
