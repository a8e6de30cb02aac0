"""A RabbitMQ node that the tests start."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from watcher.settings import Broker

BINARIES = Path("/usr/lib/rabbitmq/bin")


@dataclass
class Rabbit:
    """One node; `control` runs rabbitmqctl."""

    port: int
    environment: dict[str, str]

    @property
    def broker(self) -> Broker:
        return Broker("127.0.0.1", self.port, "guest", "guest")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def control(self, *arguments: str) -> None:
        subprocess.run(
            [BINARIES / "rabbitmqctl", *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
