"""Credentials that the broker refuses: asked again for some seconds, then wrong."""

from __future__ import annotations

import asyncio

import pika
import pika.exceptions
import pytest

from watcher import publisher
from watcher.api import Api
from watcher.errors import BrokerAwayError, FatalError
from watcher.program import Program
from watcher.publisher import Publisher
from watcher.settings import ApiServer, Broker, Settings

BROKER = Broker("127.0.0.1", 5672, "watcher", "s3cret")


class Node:
    """RabbitMQ as pika shows it: what each attempt to connect meets, the last one for ever."""

    def __init__(self, *story: type[Exception] | None) -> None:
        self.story = list(story)
        self.attempts = 0

    def __call__(self, parameters: pika.ConnectionParameters) -> Node:
        self.attempts += 1
        met = self.story.pop(0) if len(self.story) > 1 else self.story[0]
        if met is not None:
            raise met
        return self

    is_open = False

    def channel(self) -> Node:
        return self

    def confirm_delivery(self) -> None:
        return


REFUSED = pika.exceptions.ProbableAuthenticationError
AWAY = pika.exceptions.AMQPConnectionError


def probing(monkeypatch: pytest.MonkeyPatch, node: Node, refused_seconds: float) -> None:
    """What the whole watcher does at its start, until it is in or ends."""
    monkeypatch.setattr(publisher.pika, "BlockingConnection", node)
    asks = Publisher(BROKER, threads=2, refused_seconds=refused_seconds)
    server = ApiServer("http://127.0.0.1:9", None, None)
    settings = Settings(namespace="models", identity="me", api=server, broker=BROKER)
    try:
        program = Program(settings, Api(server), asks)
        asyncio.run(asyncio.wait_for(program._probe_broker(), 20))
    finally:
        asks.close()


def test_a_broker_that_has_not_yet_loaded_its_users_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(REFUSED, REFUSED, None)
    probing(monkeypatch, node, refused_seconds=10)
    assert node.attempts == 3


def test_credentials_that_stay_refused_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(REFUSED)
    with pytest.raises(FatalError, match="refuses user 'watcher'") as told:
        probing(monkeypatch, node, refused_seconds=0.5)
    assert node.attempts > 1
    assert "s3cret" not in str(told.value)


def test_they_show_also_where_the_broker_comes_after_the_watcher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(AWAY, AWAY, REFUSED)
    with pytest.raises(FatalError, match="refuses user"):
        probing(monkeypatch, node, refused_seconds=0.2)
    assert node.attempts > 3


def test_a_login_between_two_refusals_begins_the_patience_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(publisher.time, "monotonic", lambda: now)
    refusals = publisher.Refusals(patience=10)
    assert isinstance(refusals.told("no"), BrokerAwayError)
    now += 9
    assert isinstance(refusals.told("no"), BrokerAwayError)
    refusals.over()
    now += 9
    assert isinstance(refusals.told("no"), BrokerAwayError)
    now += 10
    assert isinstance(refusals.told("no"), FatalError)
