"""Short runs of the route benchmarks; `python -m bench.traffic` has the full length.

A separate namespace and Traefik are used, so that no other request changes the counters.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterator

import pytest

from bench.figures import Figure
from bench.traffic import sharing, steady
from bench.traffic.__main__ import image_of_models
from bench.traffic.client import Client
from bench.traffic.testbed import Testbed
from components.config import RouteSpec
from local import versions
from tests.support import local_stack

PORT = 8004


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with local_stack.exported():
        image = image_of_models("models")
        traffic_setup = Testbed(
            f"e2e-traffic-{os.getpid()}", PORT, image, f"traefik:{versions.TRAEFIK}"
        )
        try:
            traffic_setup.start()
            yield traffic_setup
        finally:
            traffic_setup.remove()


def _holds(running: Awaitable[Figure]) -> None:
    async def run() -> Figure:
        return await running

    figure = asyncio.run(run())
    assert figure.holds, (figure.text, figure.values)


def test_split_is_within_binomial_band(testbed: Testbed) -> None:
    _holds(sharing.split(testbed, 2000))


def test_small_backend_keeps_share_while_other_routes_change(testbed: Testbed) -> None:
    _holds(sharing.split_while_others_change(testbed, 400))


def test_sticky_client_keeps_version_when_weights_change(testbed: Testbed) -> None:
    _holds(sharing.sticky(testbed, 20))


def test_version_header_selects_version_or_gets_404(testbed: Testbed) -> None:
    _holds(sharing.header(testbed, 20))


def test_failover_answers_for_failing_version(testbed: Testbed) -> None:
    _holds(sharing.failover(testbed, 600))


def test_mirror_gets_its_percentage_without_delaying_responses(testbed: Testbed) -> None:
    async def run() -> list[Figure]:
        return await sharing.mirror(testbed, 600)

    share, latency = asyncio.run(run())
    assert share.holds, share.text
    assert not latency.values["failed"], latency.text


def test_body_over_limit_is_refused_before_buffering(testbed: Testbed) -> None:
    testbed.publish(sharing.V1, sharing.V2)
    testbed.set_route("bench", "bounded", RouteSpec(weights=sharing.SPLIT, failover="v1"))
    path = sharing.address("bounded")

    async def statuses() -> list[int]:
        client = Client(PORT)
        await asyncio.sleep(1)
        fits = b'{"parameters": ["' + b"x" * (10 * 2**20 - 20) + b'"]}'
        answers = [await client.post(path, body) for body in (fits, fits + b" " * 20)]
        return [answer.status for answer in answers]

    assert asyncio.run(statuses()) == [200, 413]


def test_killed_processes_fail_no_request_with_failover(testbed: Testbed) -> None:
    _holds(steady.kills(testbed, pods=False, with_failover=True))
