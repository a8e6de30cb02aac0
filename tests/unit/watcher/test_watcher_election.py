"""Leader election by client-go's rules, with a Lease in memory."""

import asyncio
from collections.abc import Coroutine, Mapping

import pytest

from tests.support.time_limits import at_most
from tests.support.watcher_cluster import LEASES, Cluster, until
from watcher import election
from watcher.election import NAME, Election

FAST = 0.01


def spec(cluster: Cluster) -> Mapping[str, object]:
    return cluster.objects[LEASES][NAME]["spec"]  # type: ignore[return-value]


def candidate(cluster: Cluster, identity: str) -> Election:
    return Election(cluster, "models", identity, retry_seconds=FAST)


def run(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 10))


def test_second_candidate_acquires_lease_after_release() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        first, second = candidate(cluster, "a"), candidate(cluster, "b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(10 * FAST)
        assert not waiting.done()
        assert spec(cluster)["holderIdentity"] == "a"
        await first.release(42)
        await waiting
        assert (spec(cluster)["holderIdentity"], second.resume_revision) == ("b", 42)

    run(scenario())


def test_holder_without_renewal_loses_lease_and_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "LEASE_SECONDS", 1)

    async def scenario() -> None:
        cluster = Cluster()
        first, second = candidate(cluster, "a"), candidate(cluster, "b")
        await first.acquire()
        await second.acquire()
        assert spec(cluster)["holderIdentity"] == "b"
        await first.renew_until_lost(lambda: 1)  # returns: lost
        assert second.resume_revision is None

    run(scenario())


def test_holder_without_api_server_gives_up_before_lease_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert election.RENEW_DEADLINE_SECONDS < election.LEASE_SECONDS
    monkeypatch.setattr(election, "RENEW_DEADLINE_SECONDS", 0.1)

    async def scenario() -> None:
        cluster = Cluster()
        first = candidate(cluster, "a")
        await first.acquire()
        renewal = asyncio.create_task(first.renew_until_lost(lambda: 7))
        await until(lambda: first.resume_revision == 7)
        await asyncio.sleep(0.2)
        assert not renewal.done()
        cluster.down = True
        await renewal

    run(scenario())


def test_same_identity_acquires_lease_immediately() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        await candidate(cluster, "a").acquire()
        async with asyncio.timeout(at_most(1)):
            await candidate(cluster, "a").acquire()

    run(scenario())


def test_renewal_without_resume_revision_keeps_last_one() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        first = candidate(cluster, "a")
        await first.acquire()
        renewal = asyncio.create_task(first.renew_until_lost(lambda: 7))
        await until(lambda: first.resume_revision == 7)
        renewal.cancel()
        restarted = candidate(cluster, "a")
        await restarted.acquire()
        assert restarted.resume_revision == 7

    run(scenario())
