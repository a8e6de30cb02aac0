"""RabbitMQ imports the definitions: users, queues, limits, dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from components.rabbitmq.broker_config import topology
from components.rabbitmq.broker_credentials import generated
from tests.support.rabbit import Rabbit
from tests.support.time_limits import at_most

#: In place of `/`, which other tests use.
VIRTUAL_HOST = "definitions"
USERS = ("watcher", "consumer", "administrator")
EVENTS, DEAD = "model-events", "model-events.dead-letters"

Channel = Callable[[str], BlockingChannel]


@pytest.fixture
def channel(rabbit: Rabbit, tmp_path: Path) -> Iterator[Channel]:
    """Import the definitions of the program; return a function that opens a user's channel."""
    secret = generated()
    for name, text in (("users", secret["users.json"]), ("topology", json.dumps(topology()))):
        file = tmp_path / f"{name}.json"
        moved = text.replace('"vhost": "/"', f'"vhost": "{VIRTUAL_HOST}"')
        file.write_text(moved.replace('{"name": "/"}', f'{{"name": "{VIRTUAL_HOST}"}}'))
        rabbit.control("import_definitions", str(file))
    connections = []

    def _channel(user: str) -> BlockingChannel:
        credentials = pika.PlainCredentials(user, secret[f"{user}-password"])
        connections.append(
            pika.BlockingConnection(
                pika.ConnectionParameters("127.0.0.1", rabbit.port, VIRTUAL_HOST, credentials)
            )
        )
        return connections[-1].channel()

    yield _channel
    for connection in connections:
        connection.close()
    rabbit.control("delete_vhost", VIRTUAL_HOST)
    for user in USERS:
        rabbit.control("delete_user", user)


def publish(channel: BlockingChannel, key: str = "iris.v1.failed") -> None:
    channel.confirm_delivery()
    durable = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
    channel.basic_publish(EVENTS, key, b"{}", durable, mandatory=True)


def get(channel: BlockingChannel, queue: str) -> tuple[int, str]:
    """Wait for the next message; return its delivery tag and routing key."""
    deadline = time.monotonic() + at_most(10)
    while True:
        method, _, _ = channel.basic_get(queue)
        if method is not None:
            return method.delivery_tag, method.routing_key
        assert time.monotonic() < deadline, f"nothing in {queue}"
        time.sleep(0.05)


def refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except pika.exceptions.ChannelClosedByBroker as error:
        return error.reply_code == 403
    return False


def test_event_is_stored_without_consumer_queue(channel: Channel) -> None:
    publish(channel("watcher"))
    assert get(channel("consumer"), EVENTS)[1] == "iris.v1.failed"


def test_rejected_message_becomes_dead_letter(channel: Channel) -> None:
    publish(channel("watcher"))
    consumer = channel("consumer")
    consumer.basic_reject(get(consumer, EVENTS)[0], requeue=False)
    assert get(consumer, DEAD)[1] == "iris.v1.failed"


def test_repeatedly_requeued_message_becomes_dead_letter(channel: Channel) -> None:
    publish(channel("watcher"))
    consumer = channel("consumer")
    for _ in range(21):
        consumer.basic_reject(get(consumer, EVENTS)[0], requeue=True)
    assert get(consumer, DEAD)[1] == "iris.v1.failed"


def test_policy_limits_queue_of_consumer(channel: Channel, rabbit: Rabbit) -> None:
    consumer = channel("consumer")
    consumer.queue_declare("mine", durable=True, arguments={"x-queue-type": "quorum"})
    consumer.queue_bind("mine", EVENTS, "iris.*.failed")
    # a shorter limit by the same policy, because the real one is a day
    limit = json.dumps({"message-ttl": 1, "dead-letter-exchange": DEAD})
    command = ("set_policy", "queues", ".*", limit, "--apply-to", "queues")
    rabbit.control(*command, "--vhost", VIRTUAL_HOST)
    publish(channel("watcher"))
    assert get(consumer, DEAD)[1] == "iris.v1.failed"


def test_users_have_only_required_permissions(channel: Channel) -> None:
    assert refused(lambda: channel("watcher").basic_get(EVENTS))
    assert refused(lambda: channel("watcher").queue_declare("mine"))
    assert refused(lambda: channel("consumer").queue_declare("model-actions"))
    assert refused(lambda: channel("consumer").queue_delete(EVENTS))
    assert refused(lambda: publish(channel("consumer")))
    assert not refused(lambda: channel("administrator").queue_declare("model-actions"))
