"""Access to the RabbitMQ of the running stack, as for a consumer of events."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator

from tests.support import local_stack


def secrets() -> dict[str, str]:
    """Return the decoded values of the broker's Secret."""
    secret = json.loads(local_stack.kubectl("get", "secret", "message-broker", "-o", "json"))
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


@contextlib.contextmanager
def consumer_url() -> Iterator[str]:
    """Forward a port to the broker; yield the consumer's AMQP URL."""
    command = ("kubectl", "-n", local_stack.NAMESPACE, "port-forward")
    with subprocess.Popen(
        [*command, "service/message-broker", ":5672", "--address=127.0.0.1"],
        env=local_stack.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as forward:
        try:
            assert forward.stdout is not None
            line = forward.stdout.readline()  # Forwarding from 127.0.0.1:34567 -> 5672
            port = line.split()[2].rpartition(":")[2]
            yield f"amqp://consumer:{secrets()['consumer-password']}@127.0.0.1:{port}/%2F"
        finally:
            forward.kill()
