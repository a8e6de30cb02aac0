"""100 requests per second through the local stack's entry point, and directly to a server.

Requests start at fixed times, whether or not earlier ones are answered.
"""

import asyncio
import gc
import json
from collections.abc import Sequence

from bench.figures import Figure, milliseconds
from bench.harness.functions import FLOWER, PLAIN, bare
from bench.harness.servers import ROOT, Call, Server, harness
from bench.traffic.client import Answer, Client, paced, percentile

RATE = 100.0
SECONDS = 60.0
P99_SECONDS = 0.010
ENTRY_POINT_URL = 8000
_CAR = {"wt": 2.62, "hp": 110}


def _iris() -> tuple[str, bytes, Server]:
    return "iris", json.dumps({"data": FLOWER}).encode(), bare("iris")


def _mpg() -> tuple[str, bytes, Server]:
    """For R there is no bare server: directly to the harness, without Traefik and cluster."""
    body = json.dumps({"data": _CAR}).encode()
    calls = {"mpg": Call("/model", body, b"23.")}
    server = harness(
        "harness",
        ROOT / "models/mpg/v1",
        "predict:predict",
        calls,
        package="model_harness_r",
    )
    return "mpg", body, server


async def _load(port: int, path: str, body: bytes, seconds: float) -> list[Answer]:
    client = Client(port)
    await paced(client, [path], RATE, int(RATE), body)  # opens connections
    gc.collect()
    gc.freeze()
    answers = await paced(client, [path], RATE, int(RATE * seconds), body)
    gc.unfreeze()
    await client.close()
    return answers


def run(scale: float) -> list[Figure]:
    """Iris and mpg, if they are deployed."""
    seconds = max(5.0, SECONDS * scale)
    return [_figure(*cases, seconds) for cases in (_iris(), _mpg())]


def _figure(model: str, body: bytes, server: Server, seconds: float) -> Figure:
    path = f"/models/{model}/prod/model"
    front = asyncio.run(_load(ENTRY_POINT_URL, path, body, seconds))
    with server:
        straight = asyncio.run(_load(server.port, PLAIN["iris"].path, body, seconds))
    failed = [answer for answer in front if not answer.ok]
    p50, p99 = (percentile(_seconds(front), percent) for percent in (50, 99))
    beside50, beside99 = (percentile(_seconds(straight), percent) for percent in (50, 99))
    text = (
        f"p50 {milliseconds(p50)} p99 {milliseconds(p99)} ms through the entry point, limit "
        f"{milliseconds(P99_SECONDS)}; {len(failed)} of {len(front)} failed"
        f"{f' (the first: {_why(failed[0])})' if failed else ''}; straight on {server.name} p50 "
        f"{milliseconds(beside50)} p99 {milliseconds(beside99)} ms: "
        f"{p50 / beside50:.1f} and {p99 / beside99:.1f} times"
    )
    values = {
        "p50_ms": milliseconds(p50),
        "p99_ms": milliseconds(p99),
        "straight_p50_ms": milliseconds(beside50),
        "straight_p99_ms": milliseconds(beside99),
        "failed": len(failed),
        "requests": len(front),
    }
    return Figure(f"steady-{model}", not failed and p99 < P99_SECONDS, text, values)


def _seconds(answers: Sequence[Answer]) -> list[float]:
    return [answer.seconds for answer in answers]


def _why(answer: Answer) -> str:
    return answer.error or f"{answer.status} {answer.body[:100].decode(errors='replace')}"
