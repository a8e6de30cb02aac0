"""Who leads: by client-go's rules, over a Lease in memory."""

import asyncio
from collections.abc import Coroutine, Mapping

import pytest

from tests.support.watcher_cluster import LEASES, Cluster, until
from watcher import election
from watcher.election import NAME, Election

FAST = 0.01


def spec(cluster: Cluster) -> Mapping[str, object]:
    return cluster.objects[LEASES][NAME]["spec"]  # type: ignore[return-value]


def candidate(cluster: Cluster, identity: str) -> Election:
    return Election(cluster, "models", identity, retry_seconds=FAST)


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


def test_only_one_of_two_leads_and_the_other_follows_a_release() -> None:
    async def story() -> None:
        cluster = Cluster()
        first, second = candidate(cluster, "a"), candidate(cluster, "b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(10 * FAST)
        assert not waiting.done()
        assert spec(cluster)["holderIdentity"] == "a"
        await first.release(42)
        await waiting
        assert (spec(cluster)["holderIdentity"], second.position) == ("b", 42)

    run(story())


def test_a_holder_that_is_silent_loses_it_and_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "LEASE_SECONDS", 1)

    async def story() -> None:
        cluster = Cluster()
        first, second = candidate(cluster, "a"), candidate(cluster, "b")
        await first.acquire()
        await second.acquire()
        assert spec(cluster)["holderIdentity"] == "b"
        await first.keep(lambda: 1)  # returns: lost
        assert second.position is None

    run(story())


def test_a_holder_without_an_api_server_gives_up_before_anybody_else_may_take_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert election.RENEW_WITHIN_SECONDS < election.LEASE_SECONDS
    monkeypatch.setattr(election, "RENEW_WITHIN_SECONDS", 0.1)

    async def story() -> None:
        cluster = Cluster()
        first = candidate(cluster, "a")
        await first.acquire()
        keeping = asyncio.create_task(first.keep(lambda: 7))
        await until(lambda: first.position == 7)
        await asyncio.sleep(0.2)
        assert not keeping.done()
        cluster.down = True
        await keeping

    run(story())


def test_the_same_process_come_back_leads_at_once() -> None:
    async def story() -> None:
        cluster = Cluster()
        await candidate(cluster, "a").acquire()
        async with asyncio.timeout(1):
            await candidate(cluster, "a").acquire()

    run(story())


def test_a_renewal_without_a_position_keeps_the_last_one() -> None:
    async def story() -> None:
        cluster = Cluster()
        first = candidate(cluster, "a")
        await first.acquire()
        keeping = asyncio.create_task(first.keep(lambda: 7))
        await until(lambda: first.position == 7)
        keeping.cancel()
        again = candidate(cluster, "a")
        await again.acquire()
        assert again.position == 7

    run(story())
