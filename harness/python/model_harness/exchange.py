"""One request and its answer, whatever thread gives it."""

from collections.abc import Iterable
from typing import Protocol

from model_harness.errors import RefusedError


class Transport(Protocol):
    """What is used of Granian's protocol object; the first answer counts, later ones are void."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the whole answer; Granian adds Content-Length. May be called from any thread."""


class Dialect(Protocol):
    """What an exchange needs to know of the dialect it is held in."""

    def failure(self, errors: list[str], request_id: str) -> bytes:
        """Return an error's body."""


class Exchange:
    """Gives every answer the headers of the contract."""

    __slots__ = ("_dialect", "_transport", "_version", "request_id")

    def __init__(
        self, transport: Transport, request_id: str, version: str, dialect: Dialect
    ) -> None:
        """Nothing is sent yet."""
        self._transport = transport
        self.request_id = request_id
        self._version = version
        self._dialect = dialect

    def send(self, status: int, body: bytes, more: Iterable[tuple[str, str]] = ()) -> None:
        """Answer, unless that has been done already."""
        headers = [
            ("content-type", "application/json"),
            ("x-request-id", self.request_id),
            ("x-model-version", self._version),
            *more,
        ]
        self._transport.response_bytes(status, headers, body)

    def refuse(self, error: RefusedError) -> None:
        """Answer with an error's status and sentences."""
        body = self._dialect.failure(error.errors, self.request_id)
        self.send(error.status, body, error.headers.items())
