"""The watcher as a process: an API server over HTTP, a real RabbitMQ, and kill -9."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from bench.events.broker import free_port
from tests.support import watcher_objects as shapes
from tests.support.rabbit import Rabbit
from tests.support.watcher_cluster import DEPLOYMENTS, LEASES, Cluster
from tests.support.watcher_http import Server

_STARTED: list[int] = []
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _end_what_was_started() -> Iterator[None]:
    yield
    while _STARTED:
        with contextlib.suppress(ProcessLookupError):
            os.kill(_STARTED.pop(), signal.SIGKILL)


class Watcher:
    """One process and its addresses."""

    def __init__(self, api: str, rabbit: Rabbit, **changes: str) -> None:
        self.port, self.health_port = free_port(), free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "WATCHER_NAMESPACE": "models",
            "WATCHER_IDENTITY": "watcher-0",
            "WATCHER_API_SERVER": api,
            "WATCHER_BROKER_HOST": "127.0.0.1",
            "WATCHER_BROKER_PORT": str(rabbit.port),
            "WATCHER_BROKER_USER": "guest",
            "WATCHER_BROKER_PASSWORD": "guest",
            "WATCHER_HOST": "127.0.0.1",
            "WATCHER_PORT": str(self.port),
            "WATCHER_HEALTH_PORT": str(self.health_port),
            **changes,
        }

    async def start(self) -> asyncio.subprocess.Process:
        """A process that ends with the test, however that ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "watcher",
            env=self.environment,
            stderr=asyncio.subprocess.PIPE,
        )
        _STARTED.append(process.pid)
        return process

    async def get(self, path: str, port: int | None = None) -> tuple[int, str]:
        url = f"http://127.0.0.1:{port or self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def until_ready(self) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    status, _ = await self.get("/health/ready", self.health_port)
                except aiohttp.ClientError:
                    status = 0
                if status == 200:
                    return
                await asyncio.sleep(0.05)


async def all_confirmed(cluster: Cluster, versions: int) -> None:
    """Wait until each version has a record, and its events are with the broker."""

    def confirmed() -> bool:
        kept = cluster.objects.get(LEASES, {}).values()
        texts = [
            one["metadata"].get("annotations", {}).get("model-deployment.io/record")  # type: ignore[attr-defined]
            for one in kept
        ]
        found = [json.loads(text) for text in texts if text]
        return len(found) == versions and all(one["sequence"] == one["confirmed"] for one in found)

    async with asyncio.timeout(30):
        quiet = 0
        while quiet < 20:  # what has just been changed is stored a moment later
            quiet = quiet + 1 if confirmed() else 0
            await asyncio.sleep(0.05)


def messages(channel: BlockingChannel) -> list[dict[str, object]]:
    """All that the queue holds; a repetition must be the same to the byte, and is left out."""
    seen: dict[str, bytes] = {}
    while True:
        method, properties, body = channel.basic_get("events", auto_ack=True)
        if method is None:
            return [json.loads(one) for one in seen.values()]
        assert seen.setdefault(properties.message_id, body) == body


def test_it_serves_publishes_and_ends_cleanly(rabbit: Rabbit, channel: BlockingChannel) -> None:
    async def story() -> None:
        cluster = Cluster()
        cluster.put(DEPLOYMENTS, shapes.deployment(available=True, ready=1))
        async with Server(cluster) as api:
            watcher = Watcher(api.url, rabbit)
            process = await watcher.start()
            await watcher.until_ready()
            await all_confirmed(cluster, 1)
            status, body = await watcher.get("/status/models/iris/versions/v1")
            assert (status, json.loads(body)["state"]) == (200, "Available")
            _, metrics = await watcher.get("/metrics", watcher.health_port)
            assert "watcher_leader 1.0" in metrics
            assert "watcher_events_published_total 1.0" in metrics
            assert 'watcher_versions{state="Available"} 1.0' in metrics
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                _, errors = await process.communicate()
            assert process.returncode == 0, errors
            assert b"guest" not in errors
            lease = cluster.objects[LEASES]["deployment-watcher"]
            assert "holderIdentity" not in lease["spec"]  # type: ignore[operator]
            assert [json.loads(line)["level"] for line in errors.splitlines()].count("error") == 0
        assert [one["id"] for one in messages(channel)] == ["uid-1-1"]

    asyncio.run(story())


def test_wrong_credentials_end_it_with_a_sentence(rabbit: Rabbit) -> None:
    async def story() -> None:
        async with Server(Cluster()) as api:
            process = await Watcher(api.url, rabbit, WATCHER_BROKER_PASSWORD="s3cret").start()
            async with asyncio.timeout(20):
                _, errors = await process.communicate()
        assert process.returncode == 1
        last = errors.decode().strip().splitlines()[-1]
        assert last.startswith("RabbitMQ at 127.0.0.1:")
        assert "refuses user 'guest'" in last
        assert b"s3cret" not in errors
        assert b"Traceback" not in errors

    asyncio.run(story())


def test_missing_settings_are_all_told_at_once() -> None:
    async def story() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "watcher",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "WATCHER_PORT": "0"},
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 1
        told = [line.split()[0] for line in errors.decode().splitlines()]
        assert told == [
            "WATCHER_NAMESPACE",
            "not",
            "WATCHER_BROKER_HOST",
            "WATCHER_BROKER_USER",
            "WATCHER_BROKER_PASSWORD",
            "WATCHER_PORT",
        ]

    asyncio.run(story())


def test_killed_again_and_again_it_loses_nothing(rabbit: Rabbit, channel: BlockingChannel) -> None:
    async def story() -> None:
        chance = random.Random(1)
        cluster = Cluster()
        names = [f"m{number}" for number in range(5)]
        available = dict.fromkeys(names, True)
        for name in names:
            cluster.put(DEPLOYMENTS, shapes.deployment(name, uid=f"uid-{name}", available=True))
        changes = dict.fromkeys(names, 1)
        async with Server(cluster) as api:
            watcher = Watcher(api.url, rabbit)
            process = await watcher.start()
            await all_confirmed(cluster, len(names))
            for _ in range(6):
                for _ in range(chance.randint(5, 40)):
                    name = chance.choice(names)
                    available[name] = not available[name]
                    changes[name] += 1
                    cluster.put(
                        DEPLOYMENTS,
                        shapes.deployment(name, uid=f"uid-{name}", available=available[name]),
                    )
                    await asyncio.sleep(chance.random() / 50)
                process.kill()
                await process.wait()
                process = await watcher.start()
                await asyncio.sleep(chance.random())
            await all_confirmed(cluster, len(names))
            process.terminate()
            await process.wait()
        told = messages(channel)
        for name in names:
            mine = [one["data"] for one in told if one["subject"] == f"{name}/v1"]
            assert [data["sequence"] for data in mine] == [*range(1, changes[name] + 1)]  # type: ignore[index]
            states = [data["state"] for data in mine]  # type: ignore[index]
            assert states == [("Available", "Unavailable")[i % 2] for i in range(changes[name])]

    asyncio.run(story())
