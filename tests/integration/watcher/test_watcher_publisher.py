"""The publisher against a real RabbitMQ."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.rabbit import Rabbit
from watcher import events
from watcher.errors import BrokerAwayError, FatalError
from watcher.objects import Key
from watcher.publisher import Publisher
from watcher.settings import Broker
from watcher.transitions import Standing, State

ROOT = Path(__file__).resolve().parents[3]
EVENT = events.event(
    "models", Key("iris", "v1"), Standing("uid-1", State.FAILED, "OOMKilled"), None, 7, "now"
)


@pytest.fixture
def publishing() -> Callable[[Broker, Callable[[Publisher], Awaitable[None]]], None]:
    def run(broker: Broker, story: Callable[[Publisher], Awaitable[None]]) -> None:
        publisher = Publisher(broker, threads=2, refused_seconds=0.5)
        try:
            asyncio.run(asyncio.wait_for(_call(story, publisher), 60))
        finally:
            publisher.close()

    return run


async def _call(story: Callable[[Publisher], Awaitable[None]], publisher: Publisher) -> None:
    await story(publisher)


Publishing = Callable[[Broker, Callable[[Publisher], Awaitable[None]]], None]


def test_an_event_arrives_whole_and_persistent(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing
) -> None:
    publishing(rabbit.broker, lambda publisher: publisher.publish(EVENT))
    method, properties, body = channel.basic_get("events", auto_ack=True)
    assert method is not None
    assert method.routing_key == "iris.v1.failed"
    assert (body, properties.message_id, properties.delivery_mode) == (EVENT.body, "uid-1-7", 2)
    assert properties.content_type == "application/cloudevents+json"


def test_an_event_that_no_queue_takes_is_not_counted_as_told(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing
) -> None:
    channel.queue_unbind("events", "model-events", "#")

    async def story(publisher: Publisher) -> None:
        with pytest.raises(BrokerAwayError, match="no queue is bound"):
            await publisher.publish(EVENT)
        channel.queue_bind("events", "model-events", "#")
        await publisher.publish(EVENT)

    publishing(rabbit.broker, story)


def test_a_missing_exchange_is_waited_for(rabbit: Rabbit, publishing: Publishing) -> None:
    async def story(publisher: Publisher) -> None:
        with pytest.raises(BrokerAwayError, match="no exchange 'absent'"):
            await publisher.publish(EVENT)

    publishing(replace(rabbit.broker, exchange="absent"), story)


@pytest.mark.parametrize(
    "wrong", [{"password": "s3cret"}, {"user": "nobody"}, {"virtual_host": "/absent"}]
)
def test_wrong_credentials_are_one_clear_sentence_without_the_password(
    rabbit: Rabbit, publishing: Publishing, wrong: dict[str, str]
) -> None:
    broker = replace(rabbit.broker, **wrong)  # type: ignore[arg-type]

    async def story(publisher: Publisher) -> None:
        with pytest.raises(BrokerAwayError, match="refuses user"):
            await publisher.probe()  # it may only not have loaded its definitions yet
        await asyncio.sleep(0.5)
        with pytest.raises(FatalError, match="refuses user") as told:
            await publisher.probe()
        assert "s3cret" not in str(told.value)
        assert "WATCHER_BROKER_PASSWORD" in str(told.value)

    publishing(broker, story)
    assert "s3cret" not in repr(broker)


def test_nobody_there_is_away_not_fatal(publishing: Publishing) -> None:
    async def story(publisher: Publisher) -> None:
        with pytest.raises(BrokerAwayError):
            await publisher.publish(EVENT)

    publishing(Broker("127.0.0.1", 9, "guest", "guest"), story)


async def _confirmed(publisher: Publisher) -> bool:
    try:
        await publisher.publish(EVENT)
    except BrokerAwayError:
        return False
    return True


def test_a_restart_of_the_broker_costs_attempts_not_events(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing
) -> None:
    async def story(publisher: Publisher) -> None:
        await publisher.publish(EVENT)
        await asyncio.to_thread(rabbit.control, "stop_app")
        with pytest.raises(BrokerAwayError):
            await publisher.publish(EVENT)
        await asyncio.to_thread(rabbit.control, "start_app")
        async with asyncio.timeout(20):
            while not await _confirmed(publisher):
                await asyncio.sleep(0.2)

    publishing(rabbit.broker, story)


def test_the_consumer_of_the_documentation_gets_an_event(
    rabbit: Rabbit, channel: BlockingChannel, publishing: Publishing, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "events.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 15
    script = tmp_path / "consumer.py"
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, "-u", str(script)],
        env={**os.environ, "AMQP_URL": rabbit.url},
        stdout=subprocess.PIPE,
        text=True,
    ) as consumer:
        try:
            assert consumer.stdout is not None
            assert consumer.stdout.readline().strip() == "waiting for events"
            publishing(rabbit.broker, lambda publisher: publisher.publish(EVENT))
            assert consumer.stdout.readline().strip() == "uid-1-7 iris v1 Failed OOMKilled"
        finally:
            consumer.kill()
    channel.queue_delete("my-service")
