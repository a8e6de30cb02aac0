"""What RabbitMQ is told to hold, taken by a real one: users, queues, limits, dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from components.platform.broker_config import topology
from components.platform.broker_credentials import generated
from tests.support.rabbit import Rabbit

#: In place of `/`, which other tests use.
VIRTUAL_HOST = "definitions"
USERS = ("watcher", "consumer", "administrator")
EVENTS, DEAD = "model-events", "model-events.dead-letters"

Channel = Callable[[str], BlockingChannel]


@pytest.fixture
def channel(rabbit: Rabbit, tmp_path: Path) -> Iterator[Channel]:
    """A channel of a user; users and queues are as the program gives them."""
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
    """Number and routing key of the next message, waited for."""
    deadline = time.monotonic() + 10
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


def test_an_event_is_kept_before_anybody_has_made_a_queue(channel: Channel) -> None:
    publish(channel("watcher"))
    assert get(channel("consumer"), EVENTS)[1] == "iris.v1.failed"


def test_what_a_consumer_refuses_is_a_dead_letter(channel: Channel) -> None:
    publish(channel("watcher"))
    consumer = channel("consumer")
    consumer.basic_reject(get(consumer, EVENTS)[0], requeue=False)
    assert get(consumer, DEAD)[1] == "iris.v1.failed"


def test_what_a_consumer_fails_at_again_and_again_is_a_dead_letter(channel: Channel) -> None:
    publish(channel("watcher"))
    consumer = channel("consumer")
    for _ in range(21):
        consumer.basic_reject(get(consumer, EVENTS)[0], requeue=True)
    assert get(consumer, DEAD)[1] == "iris.v1.failed"


def test_a_queue_of_a_consumer_s_own_has_limits_without_asking_for_them(
    channel: Channel, rabbit: Rabbit
) -> None:
    consumer = channel("consumer")
    consumer.queue_declare("mine", durable=True, arguments={"x-queue-type": "quorum"})
    consumer.queue_bind("mine", EVENTS, "iris.*.failed")
    # another limit by the same policy, since nobody waits for a day
    limit = json.dumps({"message-ttl": 1, "dead-letter-exchange": DEAD})
    command = ("set_policy", "queues", ".*", limit, "--apply-to", "queues")
    rabbit.control(*command, "--vhost", VIRTUAL_HOST)
    publish(channel("watcher"))
    assert get(consumer, DEAD)[1] == "iris.v1.failed"


def test_nobody_may_more_than_he_needs(channel: Channel) -> None:
    assert refused(lambda: channel("watcher").basic_get(EVENTS))
    assert refused(lambda: channel("watcher").queue_declare("mine"))
    assert refused(lambda: channel("consumer").queue_declare("model-actions"))
    assert refused(lambda: channel("consumer").queue_delete(EVENTS))
    assert refused(lambda: publish(channel("consumer")))
    assert not refused(lambda: channel("administrator").queue_declare("model-actions"))
