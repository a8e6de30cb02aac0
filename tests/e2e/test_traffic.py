"""Routes under load, in short; `python -m bench.traffic` measures the same at full length.

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
from bench.traffic.ground import Ground
from components.config import RouteSpec
from tests.support import local_stack

PORT = 8004


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with local_stack.exported():
        image = image_of_models("models")
        traffic_setup = Ground(f"e2e-traffic-{os.getpid()}", PORT, image, "traefik:v3.7.13")
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


def test_ninety_to_ten_is_what_chance_would_give(ground: Ground) -> None:
    _holds(sharing.split(ground, 2000))


def test_a_small_arm_has_its_share_while_other_routes_change(ground: Ground) -> None:
    _holds(sharing.split_while_others_change(ground, 400))


def test_a_cookie_meets_the_same_arm_also_when_the_weights_turn(ground: Ground) -> None:
    _holds(sharing.sticky(ground, 20))


def test_the_header_picks_an_arm_and_one_that_is_none_gets_404(ground: Ground) -> None:
    _holds(sharing.header(ground, 20))


def test_a_failing_arm_is_answered_by_the_failover(ground: Ground) -> None:
    _holds(sharing.failover(ground, 600))


def test_the_mirror_has_its_share_and_does_not_hold_up_the_live_answers(ground: Ground) -> None:
    async def run() -> list[Figure]:
        return await sharing.mirror(ground, 600)

    share, latency = asyncio.run(run())
    assert share.holds, share.text
    assert not latency.values["failed"], latency.text


def test_a_body_over_the_limit_is_refused_before_anything_holds_it(ground: Ground) -> None:
    ground.publish(sharing.V1, sharing.V2)
    ground.lead("bench", "bounded", RouteSpec(weights=sharing.SPLIT, failover="v1"))
    path = sharing.address("bounded")

    async def statuses() -> list[int]:
        client = Client(PORT)
        await asyncio.sleep(1)
        fits = b'{"parameters": ["' + b"x" * (10 * 2**20 - 20) + b'"]}'
        answers = [await client.post(path, body) for body in (fits, fits + b" " * 20)]
        return [answer.status for answer in answers]

    assert asyncio.run(statuses()) == [200, 413]


def test_killed_processes_fail_no_request_where_a_failover_is_set(ground: Ground) -> None:
    _holds(steady.kills(ground, pods=False, with_failover=True))
