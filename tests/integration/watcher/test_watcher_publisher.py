"""The publisher against a real RabbitMQ."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.rabbit import Rabbit
from tests.support.time_limits import at_most
from watcher import events
from watcher.errors import BrokerUnavailableError, FatalError
from watcher.publisher import Publisher
from watcher.resources import VersionKey
from watcher.settings import Broker
from watcher.transitions import State, VersionStatus

ROOT = Path(__file__).resolve().parents[3]
EVENT = events.build_event(
    "models",
    VersionKey("iris", "v1"),
    VersionStatus("uid-1", State.FAILED, "OOMKilled"),
    None,
    7,
    "now",
)


@pytest.fixture
def publishing() -> Callable[[Broker, Callable[[Publisher], Awaitable[None]]], None]:
    def run(broker: Broker, scenario: Callable[[Publisher], Awaitable[None]]) -> None:
        publisher = Publisher(broker, threads=2, auth_grace_seconds=0.5)
        try:
            asyncio.run(asyncio.wait_for(_call(scenario, publisher), 60))
        finally:
            publisher.close()

    return run


async def _call(scenario: Callable[[Publisher], Awaitable[None]], publisher: Publisher) -> None:
    await scenario(publisher)


Publishing = Callable[[Broker, Callable[[Publisher], Awaitable[None]]], None]


def test_published_event_is_persistent_and_unchanged(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing
) -> None:
    publishing(rabbit.broker, lambda publisher: publisher.publish(EVENT))
    method, properties, body = channel.basic_get("events", auto_ack=True)
    assert method is not None
    assert method.routing_key == "iris.v1.failed"
    assert (body, properties.message_id, properties.delivery_mode) == (EVENT.body, "uid-1-7", 2)
    assert properties.content_type == "application/cloudevents+json"


def test_unroutable_event_raises_until_queue_is_bound(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing
) -> None:
    channel.queue_unbind("events", "model-events", "#")

    async def scenario(publisher: Publisher) -> None:
        with pytest.raises(BrokerUnavailableError, match="no queue is bound"):
            await publisher.publish(EVENT)
        channel.queue_bind("events", "model-events", "#")
        await publisher.publish(EVENT)

    publishing(rabbit.broker, scenario)


def test_missing_exchange_raises_broker_unavailable(rabbit: Rabbit, publishing: Publishing) -> None:
    async def scenario(publisher: Publisher) -> None:
        with pytest.raises(BrokerUnavailableError, match="no exchange 'absent'"):
            await publisher.publish(EVENT)

    publishing(replace(rabbit.broker, exchange="absent"), scenario)


@pytest.mark.parametrize(
    "wrong", [{"password": "s3cret"}, {"user": "nobody"}, {"virtual_host": "/absent"}]
)
def test_wrong_credentials_raise_message_without_password(
    rabbit: Rabbit, publishing: Publishing, wrong: dict[str, str]
) -> None:
    broker = replace(rabbit.broker, **wrong)  # type: ignore[arg-type]

    async def scenario(publisher: Publisher) -> None:
        with pytest.raises(BrokerUnavailableError, match="refuses user"):
            await publisher.probe()  # it may only not have loaded its definitions yet
        await asyncio.sleep(0.5)
        with pytest.raises(FatalError, match="refuses user") as raised:
            await publisher.probe()
        assert "s3cret" not in str(raised.value)
        assert "WATCHER_BROKER_PASSWORD" in str(raised.value)

    publishing(broker, scenario)
    assert "s3cret" not in repr(broker)


def test_refused_connection_raises_broker_unavailable(publishing: Publishing) -> None:
    async def scenario(publisher: Publisher) -> None:
        with pytest.raises(BrokerUnavailableError):
            await publisher.publish(EVENT)

    publishing(Broker("127.0.0.1", 9, "guest", "guest"), scenario)


async def _confirmed(publisher: Publisher) -> bool:
    try:
        await publisher.publish(EVENT)
    except BrokerUnavailableError:
        return False
    return True


def test_publisher_recovers_after_broker_restart(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing
) -> None:
    async def scenario(publisher: Publisher) -> None:
        await publisher.publish(EVENT)
        await asyncio.to_thread(rabbit.control, "stop_app")
        with pytest.raises(BrokerUnavailableError):
            await publisher.publish(EVENT)
        await asyncio.to_thread(rabbit.control, "start_app")
        async with asyncio.timeout(at_most(20)):
            while not await _confirmed(publisher):
                await asyncio.sleep(0.2)

    publishing(rabbit.broker, scenario)


def documented_consumers() -> list[str]:
    """Return the documented consumer, and the one whose work runs in a thread."""
    text = (ROOT / "docs" / "events.md").read_text()
    plain, threaded = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for code in (plain, threaded):
        assert len([line for line in code.splitlines() if line]) <= 15
    before, between, after = re.split(r"(?=def on_event)|(?=channel\.basic_qos)", plain)
    assert "basic_ack" in between
    return [plain, before + threaded + after]


@contextlib.contextmanager
def consuming(code: str, url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a consumer; it waits for events when the block begins."""
    script = folder / "consumer.py"
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, "-u", str(script)],
        env={**os.environ, "AMQP_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    ) as consumer:
        try:
            assert consumer.stdout is not None
            assert consumer.stdout.readline().strip() == "waiting for events"
            yield consumer
        finally:
            consumer.kill()


def next_event(channel: BlockingChannel, seconds: float) -> bool:
    """Return whether an event is in the consumers' queue within this time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if channel.basic_get("my-service")[0] is not None:
            return True
        time.sleep(0.1)
    return False


def test_documented_consumer_receives_event(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing, tmp_path: Path
) -> None:
    code, _ = documented_consumers()
    with consuming(code, rabbit.url, tmp_path) as consumer:
        publishing(rabbit.broker, lambda publisher: publisher.publish(EVENT))
        assert consumer.stdout is not None
        assert consumer.stdout.readline().strip() == "uid-1-7 iris v1 Failed OOMKilled"
    channel.queue_delete("my-service")


def test_documented_consumer_with_slow_work_keeps_its_connection(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing, tmp_path: Path
) -> None:
    _, code = documented_consumers()
    # four heartbeats of a second: RabbitMQ closes a silent connection after two or three
    slow = code.replace("        print(json", "        __import__('time').sleep(4); print(json")
    assert slow != code
    with consuming(slow, f"{rabbit.url}?heartbeat=1", tmp_path) as consumer:
        publishing(rabbit.broker, lambda publisher: publisher.publish(EVENT))
        assert consumer.stdout is not None
        assert consumer.stdout.readline().strip() == "uid-1-7"
        time.sleep(1)  # until the acknowledgement is sent
        assert consumer.poll() is None
    assert not next_event(channel, 2)
    channel.queue_delete("my-service")


def test_documented_consumer_ends_when_its_work_fails(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing, tmp_path: Path
) -> None:
    _, code = documented_consumers()
    failing = code.replace("        print(json", "        1 / 0; print(json")
    with consuming(failing, rabbit.url, tmp_path) as consumer:
        publishing(rabbit.broker, lambda publisher: publisher.publish(EVENT))
        consumer.wait(at_most(20))
    assert next_event(channel, at_most(20))
    channel.queue_delete("my-service")
