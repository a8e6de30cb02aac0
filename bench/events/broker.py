"""A RabbitMQ node for drills, which kill and start it; its data is kept."""

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingConnection

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_START_SECONDS = 90.0
_TAIL_CHARACTERS = 2000
_NOT_EPHEMERAL = (20_000, 30_000)
USER = "bench"
EXCHANGE = "model-events"
QUEUE = "events"


def free_port(host: str = "127.0.0.1") -> int:
    """Return a free port outside the ephemeral range.

    No outgoing connection gets this port, so a killed process can bind it again.
    """
    while True:
        port = random.randrange(*_NOT_EPHEMERAL)  # noqa: S311 - no secret
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port


def node_environment(folder: Path, name: str, port: int, host: str = "127.0.0.1") -> dict[str, str]:
    """Return the environment of a node and a name server that are isolated in `folder`."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"{name}-{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": str(folder / "node.log"),
        "ERL_CRASH_DUMP": str(folder / "crash.dump"),
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": host,
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


class Node:
    """A node with an exchange and a quorum queue for all events."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        """`folder` must be empty and private to this user."""
        self.host, self.port = host, free_port(host)
        self.password = secrets.token_urlsafe(16)
        self._folder = folder
        settings = folder / "rabbitmq.conf"
        settings.touch(mode=0o600)
        settings.write_text(f"default_user = {USER}\ndefault_pass = {self.password}\n")
        self._environment = {
            **node_environment(folder, "bench-events", self.port, host),
            "RABBITMQ_CONFIG_FILE": str(settings),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return as soon as the node accepts messages. Raises RuntimeError."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [_SERVER],
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with self.connected() as connection:
                    channel = connection.channel()
                    channel.exchange_declare(EXCHANGE, "topic", durable=True)
                    kind = {"x-queue-type": "quorum"}
                    channel.queue_declare(QUEUE, durable=True, arguments=kind)
                    channel.queue_bind(QUEUE, EXCHANGE, "#")
                    return
            except (pika.exceptions.AMQPError, OSError) as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    output_tail = (self._folder / "output").read_text(errors="replace")[
                        -_TAIL_CHARACTERS:
                    ]
                    raise RuntimeError(f"RabbitMQ does not start: {output_tail}") from error
                time.sleep(0.2)

    def kill(self) -> None:
        """Kill the node and its child processes, but not its name server."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def remove(self) -> None:
        """Kill the node and its name server."""
        self.kill()
        subprocess.run(["epmd", "-kill"], env=self._environment, capture_output=True, check=False)

    @contextlib.contextmanager
    def connected(self) -> Iterator[BlockingConnection]:
        """Open a connection while the block runs."""
        connection = BlockingConnection(
            pika.ConnectionParameters(
                host=self.host,
                port=self.port,
                credentials=pika.PlainCredentials(USER, self.password),
                heartbeat=0,
            )
        )
        try:
            yield connection
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError, OSError):
                connection.close()

    def messages(self) -> list[tuple[str, bytes]]:
        """Return all messages of the queue as (message id, body), in the order of arrival."""
        received: list[tuple[str, bytes]] = []
        with self.connected() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(QUEUE, auto_ack=True)
                if method is None:
                    return received
                received.append((str(properties.message_id), bytes(body)))


def data_of(body: bytes) -> dict[str, object]:
    """Return the `data` of an event."""
    data: dict[str, object] = json.loads(body)["data"]
    return data
