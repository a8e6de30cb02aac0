"""Start a RabbitMQ node on free ports with data in a temporary folder."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator

import pika
import pika.exceptions
import pytest

from bench.events.broker import free_port, node_environment
from local.build import apt
from tests.support.rabbit import BINARIES, Rabbit
from tests.support.time_limits import at_most

START_SECONDS = 60


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    apt.install(apt.TEST_PACKAGES)
    base = tmp_path_factory.mktemp("rabbit")
    base.chmod(0o700)
    port = free_port()
    environment = node_environment(base, "watcher-test", port)
    output = (base / "output").open("wb")
    process = subprocess.Popen(
        [BINARIES / "rabbitmq-server"], env=environment, stdout=output, stderr=output
    )
    node = Rabbit(port, environment)
    try:
        deadline = time.monotonic() + at_most(START_SECONDS)
        while True:
            try:
                pika.BlockingConnection(pika.URLParameters(node.url)).close()
                break
            except (pika.exceptions.AMQPError, OSError):
                assert process.poll() is None, (base / "output").read_text()
                assert time.monotonic() < deadline, "RabbitMQ does not start"
                time.sleep(0.3)
        yield node
    finally:
        process.terminate()
        process.wait(timeout=at_most(30))
        epmd = shutil.which("epmd")
        if epmd:
            subprocess.run([epmd, "-kill"], env=environment, capture_output=True, check=False)


@pytest.fixture
def channel(rabbit: Rabbit) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    """Open a channel and declare the exchange and a quorum queue `events` for all events."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbit.url))
    opened = connection.channel()
    opened.exchange_declare("model-events", "topic", durable=True)
    opened.queue_declare("events", durable=True, arguments={"x-queue-type": "quorum"})
    opened.queue_bind("events", "model-events", "#")
    yield opened
    with contextlib.suppress(pika.exceptions.AMQPError):  # a test may have stopped the broker
        connection.close()
    with pika.BlockingConnection(pika.URLParameters(rabbit.url)) as last:
        last.channel().queue_delete("events")
