"""Generated Secrets are created once: no update, refresh or upgrade replaces them."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from tests.support import broker_access, local_stack
from tests.support.local_stack import Object
from tests.support.time_limits import at_most

SECRETS = ("message-broker", "ingress-controller.certificate")
UPDATES = int(os.environ.get("CREDENTIALS_UPDATES", "3"))
"""`make drill` runs 20."""

RECONNECT_SECONDS = 60.0

_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How Pulumi marks a secret value in a state that was exported with --show-secrets."""


def identities() -> dict[str, tuple[str, Object]]:
    """Return uid and data of each generated Secret, by name."""
    secrets = {}
    for name in SECRETS:
        secret = json.loads(local_stack.kubectl("get", "secret", name, "-o", "json"))
        secrets[name] = (secret["metadata"]["uid"], secret["data"])
    return secrets


def check_consumer(url: str) -> None:
    """Connect with the old password and read the length of the event queue."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_declare("model-events", passive=True)


@pytest.fixture(scope="module")
def before() -> dict[str, tuple[str, Object]]:
    return identities()


@pytest.fixture(scope="module")
def consumer_url() -> Iterator[str]:
    """The URL with the password from before all updates."""
    with broker_access.consumer_url() as url:
        yield url


def test_credentials_are_kept_by_updates(
    before: dict[str, tuple[str, Object]], consumer_url: str, report: list[str]
) -> None:
    with pika.BlockingConnection(pika.URLParameters(consumer_url)) as connected:
        for _ in range(UPDATES):
            local_stack.up().succeeded()
            assert identities() == before
            connected.process_data_events(0)
        assert connected.is_open
    check_consumer(consumer_url)
    report.append(f"{UPDATES} updates, same uid and data")


def test_credentials_are_kept_by_refresh(
    before: dict[str, tuple[str, Object]], consumer_url: str
) -> None:
    local_stack.pulumi("refresh", "--yes", "--skip-preview", "--suppress-progress").succeeded()
    local_stack.up().succeeded()
    assert identities() == before
    check_consumer(consumer_url)


def test_credentials_are_kept_with_string_data_in_state(
    before: dict[str, tuple[str, Object]], consumer_url: str, tmp_path: Path
) -> None:
    """The form that the emulated provider of earlier commits wrote."""
    exported = local_stack.pulumi("stack", "export", "--show-secrets").succeeded().text
    state = json.loads(exported)
    urns = [
        resource["urn"]
        for resource in state["deployment"]["resources"]
        if resource["type"] == "kubernetes:core/v1:Secret"
        and resource["urn"].endswith("::message-broker")
        and _with_string_data(resource)
    ]
    assert len(urns) == 1
    file = tmp_path / "state.json"
    file.write_text(json.dumps(state))
    local_stack.pulumi("stack", "import", "--file", str(file)).succeeded()
    for _ in range(2):
        local_stack.up().succeeded()
        assert identities() == before
    check_consumer(consumer_url)


def _with_string_data(resource: Object) -> bool:
    """Rewrite the inputs of a Secret's state; return whether they changed."""
    rewritten = False
    for inputs in (resource["inputs"], resource["outputs"].get("__inputs", {})):
        if "data" not in inputs:
            continue
        data = json.loads(inputs.pop("data")["plaintext"])
        plain = {key: base64.b64decode(value).decode() for key, value in data.items()}
        inputs["stringData"] = {_SIGNATURE: _SECRET, "plaintext": json.dumps(plain)}
        rewritten = True
    return rewritten


def test_credentials_let_watcher_and_consumer_reconnect(
    before: dict[str, tuple[str, Object]], consumer_url: str
) -> None:
    del before, consumer_url  # fixtures read the password before the restart
    local_stack.kubectl("delete", "pod", "message-broker-0")
    local_stack.kubectl("rollout", "status", "statefulset/message-broker", "--timeout=120s")
    with broker_access.consumer_url() as url:
        check_consumer(url)
    wait_for_watcher()


def wait_for_watcher() -> None:
    """Cause an event, for which the watcher connects, and wait for its connection."""
    local_stack.kubectl("delete", "pod", "--selector", "app.kubernetes.io/name=mpg", "--wait=false")
    deadline = time.monotonic() + at_most(RECONNECT_SECONDS)
    while "watcher" not in connected_users():
        assert time.monotonic() < deadline, "the watcher did not reconnect"
        time.sleep(1)


def connected_users() -> list[str]:
    """Return the users of the broker's AMQP connections."""
    command = ("rabbitmqctl", "--quiet", "list_connections", "user")
    return local_stack.kubectl("exec", "message-broker-0", "--", *command).split()


def test_watcher_reconnects_after_rotation(
    before: dict[str, tuple[str, Object]],
) -> None:
    uid, data = before["message-broker"]
    command = (sys.executable, "-m", "components.rabbitmq.rotate_password", "watcher")
    local_stack.run(*command, env=local_stack.environment()).succeeded()
    local_stack.pulumi("refresh", "--yes", "--skip-preview", "--suppress-progress").succeeded()
    local_stack.pulumi("preview", "--expect-no-changes").succeeded()
    rotated_uid, rotated = identities()["message-broker"]
    assert rotated_uid == uid
    changed = {key for key in data if data[key] != rotated[key]}
    assert changed == {"watcher-password", "users.json"}
    local_stack.kubectl("delete", "pod", "message-broker-0")
    local_stack.kubectl("rollout", "status", "statefulset/message-broker", "--timeout=120s")
    wait_for_watcher()
