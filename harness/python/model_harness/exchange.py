"""One request and its answer, whatever thread gives it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from model_harness.errors import RefusedError
from model_harness.identity import HARNESS_ID
from model_harness.metrics import Counters


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is not JSON, or that needs headers of its own."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    """Lower case; `content-type` among them."""


class Transport(Protocol):
    """What is used of Granian's protocol object; the first answer counts, later ones are void."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the whole answer; Granian adds Content-Length. May be called from any thread."""


class Dialect(Protocol):
    """What an exchange needs to know of the dialect it is held in."""

    def failure(self, errors: list[str], request_id: str, status: int) -> bytes:
        """Return an error's body."""


class Exchange:
    """Gives every answer the headers of the contract."""

    __slots__ = ("_dialect", "_transport", "_version", "request_id")

    counters: ClassVar[Counters] = Counters()
    """The process's own, set once at its start: a field would cost every request."""

    def __init__(
        self, transport: Transport, request_id: str, version: str, dialect: Dialect
    ) -> None:
        """Nothing is sent yet."""
        self._transport = transport
        self.request_id = request_id
        self._version = version
        self._dialect = dialect

    def send(
        self, status: int, body: bytes | Content, more: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Answer, unless that has been done already."""
        if isinstance(body, bytes):
            headers = [
                ("content-type", "application/json"),
                ("x-request-id", self.request_id),
                ("x-model-version", self._version),
                *more,
            ]
        else:
            headers = [
                ("x-request-id", self.request_id),
                ("x-model-version", self._version),
                *body.headers,
                *more,
            ]
            body = body.body
        self._transport.response_bytes(status, headers, body)

    def refuse(self, error: RefusedError) -> None:
        """Answer with an error's status and sentences."""
        body = self._dialect.failure(error.errors, self.request_id, error.status)
        self.send(error.status, body, error.headers.items())
        if self.request_id != HARNESS_ID:
            self.counters.refused(error.status)
