"""The settings of one model container, decoded from its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from model_harness.environment import EnvironmentDecoder
from model_harness.errors import StartupError

MODEL_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
MODEL_VERSION = re.compile(r"v[1-9][0-9]*")
HANDLER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
HANDLER_FORM = "<module>:<function>, like predict:predict"
MAX_THREADS = 256
MAX_WORKERS = 64
MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """What one model container serves, and its limits."""

    name: str
    version: str
    handler: str
    body_bytes: int = 10 * 1024 * 1024
    in_flight: int = 64
    timeout_seconds: float = 30.0
    threads: int = 1  # concurrent calls of a plain function in each process
    workers: int = 1  # processes
    tokens: str | None = None  # a directory with one file per token; None: no token is required
    # The addresses are fixed in a Pod; tests and manual runs need others.
    host: str = "0.0.0.0"  # noqa: S104 - a Pod must answer on its address
    port: int = 8080
    health_port: int = 8081

    @property
    def version_number(self) -> int:
        """Return the integer of the version: `v12` is 12."""
        return int(self.version[1:])

    @property
    def local_address(self) -> tuple[str, int]:
        """Return the address under which this machine reaches the HTTP server."""
        return ("127.0.0.1" if self.host == "0.0.0.0" else self.host, self.port)  # noqa: S104

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        handler: re.Pattern[str] = HANDLER,
        handler_form: str = HANDLER_FORM,
    ) -> "Settings":
        """Decode `MODEL_*`. Raise StartupError with a line for every wrong variable.

        `handler` is the pattern of a handler in the language of the harness, `handler_form` the
        same in words.
        """
        decoder = EnvironmentDecoder(environment)
        settings = cls(
            name=decoder.text(
                "MODEL_NAME", MODEL_NAME, "lower-case letters, digits and hyphens, like iris"
            ),
            version=decoder.text("MODEL_VERSION", MODEL_VERSION, "a version like v1"),
            handler=decoder.text("MODEL_HANDLER", handler, handler_form),
            body_bytes=decoder.integer("MODEL_BODY_BYTES", cls.body_bytes),
            in_flight=decoder.integer("MODEL_IN_FLIGHT", cls.in_flight),
            timeout_seconds=decoder.seconds("MODEL_TIMEOUT_SECONDS", cls.timeout_seconds),
            threads=decoder.integer("MODEL_THREADS", cls.threads, MAX_THREADS),
            workers=decoder.integer("MODEL_WORKERS", cls.workers, MAX_WORKERS),
            tokens=decoder.directory("MODEL_TOKENS"),
            host=environment.get("MODEL_HOST") or cls.host,
            port=decoder.integer("MODEL_PORT", cls.port, MAX_PORT),
            health_port=decoder.integer("MODEL_HEALTH_PORT", cls.health_port, MAX_PORT),
        )
        if decoder.errors:
            raise StartupError("\n".join(decoder.errors))
        return settings
