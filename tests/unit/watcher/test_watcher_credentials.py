"""Refused credentials are retried for some seconds, then fatal."""

from __future__ import annotations

import asyncio
from unittest import mock

import pika
import pika.exceptions
import pytest

from watcher import publisher
from watcher.app import Watcher
from watcher.errors import BrokerUnavailableError, FatalError
from watcher.kube_client import KubeClient
from watcher.publisher import Publisher
from watcher.settings import ApiServer, Broker, Settings

BROKER = Broker("127.0.0.1", 5672, "watcher", "s3cret")


class Node:
    """A RabbitMQ node: the result of each connection attempt, the last one repeated."""

    def __init__(self, *results: type[Exception] | None) -> None:
        self.results = list(results)
        self.attempts = 0

    def __call__(self, parameters: pika.ConnectionParameters) -> Node:
        self.attempts += 1
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if result is not None:
            raise result
        return self

    is_open = False
    _impl = mock.MagicMock()

    def channel(self) -> Node:
        return self

    def confirm_delivery(self) -> None:
        return


REFUSED = pika.exceptions.ProbableAuthenticationError
UNAVAILABLE = pika.exceptions.AMQPConnectionError


def probe_until_done(
    monkeypatch: pytest.MonkeyPatch, node: Node, auth_grace_seconds: float
) -> None:
    """Probe the broker as the watcher does at its start."""
    monkeypatch.setattr(publisher.pika, "BlockingConnection", node)
    publisher_under_test = Publisher(BROKER, threads=2, auth_grace_seconds=auth_grace_seconds)
    server = ApiServer("http://127.0.0.1:9", None, None)
    settings = Settings(namespace="models", identity="me", api=server, broker=BROKER)
    try:
        watcher = Watcher(settings, KubeClient(server), publisher_under_test)
        asyncio.run(asyncio.wait_for(watcher._probe_broker(), 20))
    finally:
        publisher_under_test.close()


def test_probe_retries_while_broker_loads_its_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(REFUSED, REFUSED, None)
    probe_until_done(monkeypatch, node, auth_grace_seconds=10)
    assert node.attempts == 3


def test_probe_fails_when_credentials_stay_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(REFUSED)
    with pytest.raises(FatalError, match="refuses user 'watcher'") as raised:
        probe_until_done(monkeypatch, node, auth_grace_seconds=0.5)
    assert node.attempts > 1
    assert "s3cret" not in str(raised.value)


def test_probe_fails_when_broker_starts_after_watcher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(UNAVAILABLE, UNAVAILABLE, REFUSED)
    with pytest.raises(FatalError, match="refuses user"):
        probe_until_done(monkeypatch, node, auth_grace_seconds=0.2)
    assert node.attempts > 3


def test_login_restarts_grace_period_of_refused_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(publisher.time, "monotonic", lambda: now)
    auth_failures = publisher.AuthFailures(grace_seconds=10)
    assert isinstance(auth_failures.error_for("no"), BrokerUnavailableError)
    now += 9
    assert isinstance(auth_failures.error_for("no"), BrokerUnavailableError)
    auth_failures.reset()
    now += 9
    assert isinstance(auth_failures.error_for("no"), BrokerUnavailableError)
    now += 10
    assert isinstance(auth_failures.error_for("no"), FatalError)
