"""The watcher as a process, with an API server over HTTP, a real RabbitMQ, and SIGKILL."""

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
from tests.support import watcher_objects
from tests.support.rabbit import Rabbit
from tests.support.time_limits import at_most
from tests.support.watcher_cluster import DEPLOYMENTS, LEASES, Cluster
from tests.support.watcher_http import Server

_STARTED: list[int] = []
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _kill_started_processes() -> Iterator[None]:
    yield
    while _STARTED:
        with contextlib.suppress(ProcessLookupError):
            os.kill(_STARTED.pop(), signal.SIGKILL)


class Watcher:
    """A watcher process and its ports."""

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
        """Start the process; the fixture kills it after the test."""
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
        async with asyncio.timeout(at_most(20)):
            while True:
                try:
                    status, _ = await self.get("/health/ready", self.health_port)
                except aiohttp.ClientError:
                    status = 0
                if status == 200:
                    return
                await asyncio.sleep(0.05)


async def all_confirmed(cluster: Cluster, versions: int) -> None:
    """Wait until each version has a record and the broker has confirmed its events."""

    def confirmed() -> bool:
        leases = cluster.objects.get(LEASES, {}).values()
        texts = [
            lease["metadata"].get("annotations", {}).get("model-deployment.io/record")  # type: ignore[attr-defined]
            for lease in leases
        ]
        decoded = [json.loads(text) for text in texts if text]
        return len(decoded) == versions and all(
            record["sequence"] == record["confirmed"] for record in decoded
        )

    async with asyncio.timeout(at_most(30)):
        quiet = 0
        while quiet < 20:  # what has just been changed is stored a moment later
            quiet = quiet + 1 if confirmed() else 0
            await asyncio.sleep(0.05)


def messages(channel: BlockingChannel) -> list[dict[str, object]]:
    """Read all messages of the queue once; fail if a repeated message differs."""
    bodies: dict[str, bytes] = {}
    while True:
        method, properties, body = channel.basic_get("events", auto_ack=True)
        if method is None:
            return [json.loads(body) for body in bodies.values()]
        assert bodies.setdefault(properties.message_id, body) == body


def test_watcher_serves_publishes_and_exits_on_sigterm(
    rabbit: Rabbit, channel: BlockingChannel
) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.put(DEPLOYMENTS, watcher_objects.deployment(available=True, ready=1))
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
            async with asyncio.timeout(at_most(5)):
                _, errors = await process.communicate()
            assert process.returncode == 0, errors
            assert b"guest" not in errors
            lease = cluster.objects[LEASES]["deployment-watcher"]
            assert "holderIdentity" not in lease["spec"]  # type: ignore[operator]
            assert [json.loads(line)["level"] for line in errors.splitlines()].count("error") == 0
        assert [event["id"] for event in messages(channel)] == ["uid-1-1"]

    asyncio.run(scenario())


def test_wrong_credentials_exit_with_message(rabbit: Rabbit) -> None:
    async def scenario() -> None:
        async with Server(Cluster()) as api:
            process = await Watcher(api.url, rabbit, WATCHER_BROKER_PASSWORD="s3cret").start()
            async with asyncio.timeout(at_most(20)):
                _, errors = await process.communicate()
        assert process.returncode == 1
        last = errors.decode().strip().splitlines()[-1]
        assert last.startswith("RabbitMQ at 127.0.0.1:")
        assert "refuses user 'guest'" in last
        assert b"s3cret" not in errors
        assert b"Traceback" not in errors

    asyncio.run(scenario())


def test_all_missing_settings_are_reported() -> None:
    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "watcher",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "WATCHER_PORT": "0"},
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 1
        names = [line.split()[0] for line in errors.decode().splitlines()]
        assert names == [
            "WATCHER_NAMESPACE",
            "WATCHER_BROKER_HOST",
            "WATCHER_BROKER_USER",
            "WATCHER_BROKER_PASSWORD",
            "WATCHER_PORT",
            "WATCHER_API_SERVER",
        ]

    asyncio.run(scenario())


def test_repeated_kills_lose_no_event(rabbit: Rabbit, channel: BlockingChannel) -> None:
    async def scenario() -> None:
        chance = random.Random(1)
        cluster = Cluster()
        names = [f"m{number}" for number in range(5)]
        available = dict.fromkeys(names, True)
        for name in names:
            cluster.put(
                DEPLOYMENTS, watcher_objects.deployment(name, uid=f"uid-{name}", available=True)
            )
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
                        watcher_objects.deployment(
                            name, uid=f"uid-{name}", available=available[name]
                        ),
                    )
                    await asyncio.sleep(chance.random() / 50)
                process.kill()
                await process.wait()
                process = await watcher.start()
                await asyncio.sleep(chance.random())
            await all_confirmed(cluster, len(names))
            process.terminate()
            await process.wait()
        events = messages(channel)
        for name in names:
            published = [event["data"] for event in events if event["subject"] == f"{name}/v1"]
            assert [data["sequence"] for data in published] == [*range(1, changes[name] + 1)]  # type: ignore[index]
            states = [data["state"] for data in published]  # type: ignore[index]
            assert states == [("Available", "Unavailable")[i % 2] for i in range(changes[name])]

    asyncio.run(scenario())
