"""Kill R processes under load; count failures and measure health meanwhile."""

import asyncio
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Event

from bench.figures import Figure, milliseconds
from bench.harness import processes
from bench.harness.plumber import ours
from bench.harness.servers import Call, Server, ask
from bench.traffic.client import Answer, Client, flood

REQUESTS = 10_000
ROUNDS = 5
"""Rounds of REQUESTS, with one process killed in the middle of each."""
HEALTH_SECONDS = 0.05
_BETWEEN_LOOKS = 0.01
_LIVE = Call("/health/live", b"", b"")
_OK = 200


def run(scale: float) -> list[Figure]:
    """Measure with one and with two workers."""
    return [_figure(workers, max(1, round(ROUNDS * scale))) for workers in (1, 2)]


def _figure(workers: int, rounds: int) -> Figure:
    # Probed by a separate process, as kubelet does: a thread here would wait for the GIL.
    spawn = multiprocessing.get_context("spawn")
    with (
        ours("predict", workers) as server,
        spawn.Manager() as shared,
        ProcessPoolExecutor(1, spawn) as prober,
    ):
        results = [asyncio.run(_round(server, prober, shared.Event())) for _ in range(rounds)]
    failed = [sum(not answer.ok for answer in answers) for answers, _ in results]
    health = max(max(looks) for _, looks in results)
    longest = max(max(answer.seconds for answer in answers) for answers, _ in results)
    count = sum(len(looks) for _, looks in results)
    text = (
        f"{', '.join(map(str, failed))} of {REQUESTS} failed, one R process killed in each, wanted "
        f"1 at most; the slowest took {milliseconds(longest)} ms; health {milliseconds(health)} ms "
        f"at most of {count} looks, wanted {milliseconds(HEALTH_SECONDS)}"
    )
    values = {"failed": failed, "health_ms": milliseconds(health), "looks": count}
    holds = max(failed) <= 1 and health < HEALTH_SECONDS
    return Figure(f"r-killed-{workers}", holds, text, values)


async def _round(
    server: Server, prober: ProcessPoolExecutor, over: Event
) -> tuple[list[Answer], list[float]]:
    client = Client(server.port)
    call = server.calls["predict"]
    looking = prober.submit(_look, server.health_port, over)
    load = asyncio.create_task(flood(client, call.path, REQUESTS, body=call.body))
    before = _of_r(server)
    await asyncio.sleep(2)
    os.kill(before[0], signal.SIGKILL)
    answers = await load
    over.set()
    await client.close()
    if before[0] in _of_r(server):
        raise SystemExit(f"R {before[0]} outlived its kill")
    return answers, await asyncio.wrap_future(looking)


def _look(port: int, over: Event) -> list[float]:
    looks = []
    while not over.wait(_BETWEEN_LOOKS):
        began = time.perf_counter()
        status, body = ask(port, _LIVE)
        looks.append(time.perf_counter() - began)
        if status != _OK:
            raise RuntimeError(f"health is lost: {status} {body!r}")
    return looks


def _of_r(server: Server) -> list[int]:
    tree = processes.of_tree(server.process.pid)
    return [pid for pid in tree if Path(f"/proc/{pid}/comm").read_text().strip() == "R"]
