"""The environment as typed settings; every mistake is reported at once, a line each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model_harness.errors import StartupError

MODEL_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
MODEL_VERSION = re.compile(r"v[1-9][0-9]*")
HANDLER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
HANDLER_WANTED = "<module>:<function>, like predict:predict"
MOST_THREADS = 256
MOST_WORKERS = 64
DIRECTORY = re.compile(r"/.*")


@dataclass(frozen=True)
class Settings:
    """What one model container serves, and its limits."""

    name: str
    version: str
    handler: str
    body_bytes: int = 10 * 1024 * 1024
    in_flight: int = 64
    timeout_seconds: float = 30.0
    threads: int = 1  # calls of a plain function at once, in each process
    workers: int = 1  # processes
    tokens: str | None = None  # a directory with a file for each; None: open to everybody
    # The addresses are fixed in a pod; tests and a run by hand need others.
    host: str = "0.0.0.0"  # noqa: S104 - a pod must answer on its own address
    port: int = 8080
    health_port: int = 8081

    @property
    def version_number(self) -> int:
        """`v12` is 12."""
        return int(self.version[1:])

    @property
    def front(self) -> tuple[str, int]:
        """Where this machine itself reaches the front."""
        return ("127.0.0.1" if self.host == "0.0.0.0" else self.host, self.port)  # noqa: S104

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        handler: re.Pattern[str] = HANDLER,
        handler_wanted: str = HANDLER_WANTED,
    ) -> "Settings":
        """Read `MODEL_*`. Raises StartupError that names every variable that is wrong.

        `handler` is the form of a handler's name, which is the language's business.
        """
        reader = _Reader(environment)
        settings = cls(
            name=reader.text(
                "MODEL_NAME", MODEL_NAME, "lower-case letters, digits and hyphens, like iris"
            ),
            version=reader.text("MODEL_VERSION", MODEL_VERSION, "like v1"),
            handler=reader.text("MODEL_HANDLER", handler, handler_wanted),
            body_bytes=reader.whole("MODEL_BODY_BYTES", cls.body_bytes),
            in_flight=reader.whole("MODEL_IN_FLIGHT", cls.in_flight),
            timeout_seconds=reader.seconds("MODEL_TIMEOUT_SECONDS", cls.timeout_seconds),
            threads=reader.whole("MODEL_THREADS", cls.threads, at_most=MOST_THREADS),
            workers=reader.whole("MODEL_WORKERS", cls.workers, at_most=MOST_WORKERS),
            tokens=reader.directory("MODEL_TOKENS"),
            host=environment.get("MODEL_HOST") or cls.host,
            port=reader.whole("MODEL_PORT", cls.port, at_most=65535),
            health_port=reader.whole("MODEL_HEALTH_PORT", cls.health_port, at_most=65535),
        )
        if reader.mistakes:
            raise StartupError("\n".join(reader.mistakes))
        return settings


class _Reader:
    """Reads single variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.mistakes: list[str] = []

    def text(self, name: str, pattern: re.Pattern[str], wanted: str) -> str:
        found = self._environment.get(name, "")
        if not found:
            self.mistakes.append(f"{name} is not set; write {wanted}")
        elif not pattern.fullmatch(found):
            self.mistakes.append(f"{name} is {found!r}; write {wanted}")
        return found

    def directory(self, name: str) -> str | None:
        found = self._environment.get(name)
        if found is not None and not DIRECTORY.fullmatch(found):
            # An empty one, too: it was meant to close the model.
            wanted = "the path of a directory, or do not set it"
            self.mistakes.append(f"{name} is {found!r}; write {wanted}")
        return found

    def whole(self, name: str, default: int, at_most: int = 2**31) -> int:
        wanted = f"a whole number from 1 to {at_most}"
        return int(self._number(name, default, at_most, int, wanted))

    def seconds(self, name: str, default: float) -> float:
        return self._number(name, default, 86400, float, "a number of seconds over 0, up to 86400")

    def _number(
        self,
        name: str,
        default: float,
        at_most: float,
        convert: Callable[[str], float],
        wanted: str,
    ) -> float:
        found = self._environment.get(name)
        if found is None:
            return default
        try:
            number = convert(found)
        except ValueError:
            number = 0
        if not 0 < number <= at_most:  # also refuses NaN
            self.mistakes.append(f"{name} is {found!r}; write {wanted}")
            return default
        return number
