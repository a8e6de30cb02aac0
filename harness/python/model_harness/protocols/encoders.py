"""What the HTTP server and the scheduler need of an inference protocol."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RawBody:
    """A response body that is not JSON, or that needs other headers."""

    content: bytes
    headers: tuple[tuple[str, str], ...]
    """Names in lower case; `content-type` is included."""


class ErrorEncoder(Protocol):
    """Encodes the body of an error response."""

    def failure(self, errors: list[str], request_id: str, status: int) -> bytes:
        """Return the body of an error response."""


class ResultEncoder(Protocol):
    """Encodes the result of a call."""

    def success(self, result: object, seconds: float, request_id: str) -> bytes | RawBody:
        """Return the body of a 200. Raise TypeError where the result cannot be encoded."""
