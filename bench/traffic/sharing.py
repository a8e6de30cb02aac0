"""Which version answers: weights, also while other routes change; cookies; header; mirror."""

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from bench.figures import Figure, binomial_band, milliseconds
from bench.traffic.api import Routes
from bench.traffic.client import Answer, Client, by_version, flood, paced, percentile
from bench.traffic.cluster import kubectl
from bench.traffic.testbed import Testbed, Version
from components.config import MirrorSpec, RouteSpec

MODEL = "bench"
V1 = Version(MODEL, "v1", 2)
V2 = Version(MODEL, "v2", 2)
V3 = Version(MODEL, "v3")
SPLIT = {"v1": 90, "v2": 10}
_SHARE = 0.1
_NOT_FOUND = 404


def address(route: str, model: str = MODEL) -> str:
    """Return the path of a route."""
    return f"/models/{model}/{route}/model"


async def split(testbed: Testbed, count: int) -> Figure:
    """Measure a split of 90 to 10 without other changes."""
    testbed.publish(V1, V2)
    testbed.set_route(MODEL, "split", RouteSpec(weights=SPLIT))
    client = Client(testbed.port)
    await asyncio.sleep(1)
    return _share("split", await flood(client, address("split"), count))


async def split_while_others_change(testbed: Testbed, count: int, rate: float = 10) -> Figure:
    """Measure the split at few requests while another model's route changes twice a second."""
    testbed.publish(V1, V2)
    testbed.set_route(MODEL, "split", RouteSpec(weights=SPLIT))
    second_model = Version("bench-other", "v1")
    testbed.publish(second_model, Version("bench-other", "v2"))
    client = Client(testbed.port)
    await asyncio.sleep(1)
    async with _changing(testbed, "bench-other") as changes:
        answers = await paced(client, [address("split")], rate, count)
    return _share("split while another route changes", answers, {"changes": changes["made"]})


@contextlib.asynccontextmanager
async def _changing(testbed: Testbed, model: str) -> AsyncIterator[Counter[str]]:
    """Change the weights of a route twice a second."""
    changes: Counter[str] = Counter()
    routes = Routes(testbed.namespace)
    testbed.set_route(model, "prod", RouteSpec(weights=SPLIT))

    async def change() -> None:
        while True:
            first = 10 + 10 * (changes["made"] % 2)
            spec = RouteSpec(weights={"v1": first, "v2": 100 - first})
            await routes.change(testbed.route(model, "prod", spec))
            changes["made"] += 1
            # not synchronous with the requests: the first backend after a change must be random
            await asyncio.sleep(random.uniform(0.3, 0.6))  # noqa: S311 - no secret

    task = asyncio.create_task(change())
    try:
        yield changes
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _share(name: str, answers: Sequence[Answer], more: dict[str, object] | None = None) -> Figure:
    counts = by_version(answers)
    low, high = binomial_band(len(answers), _SHARE)
    holds = low <= counts["v2"] <= high and counts["v1"] + counts["v2"] == len(answers)
    text = (
        f"{counts['v2']} of {len(answers)} to the backend of weight 10 ({low} to {high} is chance)"
    )
    values = {"answers": dict(counts), "share": counts["v2"] / len(answers), "band": [low, high]}
    return Figure(name, holds, text, {**values, **(more or {})})


async def sticky(testbed: Testbed, clients: int, calls: int = 20) -> Figure:
    """Check that a client's cookie keeps its version when the weights are reversed."""
    testbed.publish(V1, V2)
    testbed.set_route(MODEL, "sticky", RouteSpec(weights=SPLIT, sticky=True))
    client, path = Client(testbed.port), address("sticky")
    await asyncio.sleep(1)
    new = await flood(client, path, clients)
    first = Counter(item.version for item in new)
    turned = RouteSpec(weights={"v2": 90, "v1": 10}, sticky=True)
    moved, again = 0, 0
    for step in range(2):
        if step:
            await asyncio.to_thread(testbed.set_route, MODEL, "sticky", turned)
            await asyncio.sleep(1)
        for answer in new:
            cookie = {"Cookie": answer.headers.get("set-cookie", "").partition(";")[0]}
            later = await flood(client, path, calls // 2, 2, cookie)
            moved += sum(item.version != answer.version for item in later)
            again += sum("set-cookie" in item.headers for item in later)
    set_cookie = new[0].headers.get("set-cookie", "")
    holds = not moved and not again and all("set-cookie" in item.headers for item in new)
    holds = holds and len(first) == len(SPLIT) and "HttpOnly" in set_cookie and "Lax" in set_cookie
    text = f"{clients} clients ({dict(first)}), {calls} calls each, weights turned: {moved} moved"
    return Figure(
        "sticky", holds, text, {"clients": dict(first), "moved": moved, "cookie": set_cookie}
    )


async def header(testbed: Testbed, count: int) -> Figure:
    """Check that `X-Model-Version` selects a version, also of weight 0; others get 404."""
    testbed.publish(V1, V2, V3)
    testbed.set_route(MODEL, "header", RouteSpec(weights={"v1": 100, "v2": 0}))
    client, path = Client(testbed.port), address("header")
    await asyncio.sleep(1)
    counts = {
        version: by_version(await flood(client, path, count, headers={"X-Model-Version": version}))
        for version in ("v1", "v2", "v3", "v22", "V2")
    }
    nobody = {f"failed {_NOT_FOUND}": count}
    expected = {"v1": {"v1": count}, "v2": {"v2": count}, "v3": nobody, "v22": nobody, "V2": nobody}
    answers_by_version = {version: dict(answers) for version, answers in counts.items()}
    return Figure(
        "header",
        answers_by_version == expected,
        f"{count} each: {answers_by_version}",
        {"answers": answers_by_version},
    )


async def mirror(testbed: Testbed, count: int, rate: float = 100) -> list[Figure]:
    """Measure the mirrored share, and latencies with a healthy, slow and stopped mirror."""
    slow = Version(MODEL, "v3", 1, {"ARM_SLEEP_SECONDS": "5", "MODEL_TIMEOUT_SECONDS": "10"})
    testbed.publish(V1, V2, V3)
    client = Client(testbed.port)
    testbed.set_route(MODEL, "plain", RouteSpec(weights=SPLIT))
    copied = RouteSpec(weights=SPLIT, mirror=MirrorSpec(version="v3", percent=10))
    testbed.set_route(MODEL, "mirrored", copied)
    await asyncio.sleep(1)
    share = await _mirror_share(client, count)
    took: dict[str, list[float]] = {}
    failed = 0
    for name in ("well", "slow", "stopped"):
        if name == "slow":
            await asyncio.to_thread(testbed.publish, slow)
        elif name == "stopped":
            kubectl("-n", testbed.namespace, "scale", "deployment", f"{MODEL}-v3", "--replicas=0")
        await asyncio.sleep(2)
        # alternate with an unmirrored route, so that other load on the machine affects both alike
        paths = [address("plain"), address("mirrored")]
        answers = await paced(client, paths, rate, count)
        failed += sum(not item.ok for item in answers)
        took[f"without, {name}"] = [item.seconds for item in answers[0::2]]
        took[name] = [item.seconds for item in answers[1::2]]
    await asyncio.to_thread(testbed.publish, V3)
    summary = {
        name: [milliseconds(percentile(values, at)) for at in (50, 99)]
        for name, values in took.items()
    }
    ratios = [
        summary[name][0] / summary[f"without, {name}"][0] for name in ("well", "slow", "stopped")
    ]
    text = ", ".join(f"{name} {p50}/{p99}" for name, (p50, p99) in summary.items())
    holds = not failed and max(ratios) <= 1.5  # noqa: PLR2004 - noise of a shared machine
    values = {"milliseconds": summary, "failed": failed}
    return [share, Figure("mirror latency", holds, f"p50/p99 ms: {text}; {failed} failed", values)]


async def _mirror_share(client: Client, count: int) -> Figure:
    before = await _calls_of_v3(client)
    answers = await flood(client, address("mirrored"), count)
    await asyncio.sleep(2)
    copies = await _calls_of_v3(client) - before - 1
    low, high = binomial_band(count, _SHARE)
    holds = low <= copies <= high and all(item.version in SPLIT for item in answers)
    text = f"{copies} of {count} copied at 10 % ({low} to {high} is chance)"
    return Figure("mirror share", holds, text, {"copies": copies, "of": count, "band": [low, high]})


async def _calls_of_v3(client: Client) -> int:
    """Return the call counter of the mirror's Pod; this call is counted, too."""
    answer = await client.post(address("versions/v3"))
    match = re.search(rb'"result":(\d+)', answer.body)
    if not match:
        raise RuntimeError(f"v3 does not tell its calls: {answer}")
    return int(match[1])


async def failover(testbed: Testbed, count: int) -> Figure:
    """Check that no client sees the errors of a backend that raises on half its calls."""
    failing = Version(MODEL, "v4", 1, {"BENCH_FAIL_EVERY": "2"})
    testbed.publish(V1, failing)
    spec = RouteSpec(weights={"v1": 50, "v4": 50}, sticky=True, failover="v1")
    testbed.set_route(MODEL, "failover", spec)
    client = Client(testbed.port)
    await asyncio.sleep(1)
    answers = await flood(client, address("failover"), count)
    counts = by_version(answers)
    holds = counts["v1"] + counts["v4"] == count and abs(counts["v4"] - count / 4) <= count / 20
    text = f"{dict(counts)} of {count}; half of v4's calls raise"
    return Figure("failover", holds, text, {"answers": dict(counts)})
