"""The response to one request, whichever thread sends it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from model_harness.errors import RequestError
from model_harness.http.memory_budget import MemoryBudget
from model_harness.observability.internal_requests import INTERNAL_REQUEST_ID
from model_harness.observability.metrics import RequestCounters
from model_harness.protocols.encoders import ErrorEncoder, RawBody


class Transport(Protocol):
    """The part of Granian's protocol object that sends. Only the first response is sent."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the response from any thread; Granian adds Content-Length."""


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """What all responses of a process share. One object per request would cost too much."""

    version: str
    counters: RequestCounters
    memory: MemoryBudget = field(default_factory=MemoryBudget)


class Responder:
    """Sends the response to one request, with the headers that every response carries."""

    __slots__ = ("_context", "_error_encoder", "_transport", "request_id", "reserved_bytes")

    def __init__(
        self,
        transport: Transport,
        request_id: str,
        context: ResponseContext,
        error_encoder: ErrorEncoder,
    ) -> None:
        self._transport = transport
        self.request_id = request_id
        self._context = context
        self._error_encoder = error_encoder
        self.reserved_bytes = 0  # of memory, for the values of the request

    def release_memory(self) -> None:
        """Release the memory of the values, once nothing refers to them."""
        count, self.reserved_bytes = self.reserved_bytes, 0
        if count:
            self._context.memory.release(count)

    def send(
        self, status: int, body: bytes | RawBody, extra: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Send a response, unless one was sent before."""
        if isinstance(body, bytes):
            headers = [
                ("content-type", "application/json"),
                ("x-request-id", self.request_id),
                ("x-model-version", self._context.version),
                *extra,
            ]
        else:
            headers = [
                ("x-request-id", self.request_id),
                ("x-model-version", self._context.version),
                *body.headers,
                *extra,
            ]
            body = body.content
        self._transport.response_bytes(status, headers, body)

    def send_error(self, error: RequestError) -> None:
        """Send and count an error response."""
        body = self._error_encoder.failure(error.errors, self.request_id, error.status)
        self.send(error.status, body, error.headers.items())
        if self.request_id != INTERNAL_REQUEST_ID:
            self._context.counters.count_error(error.status)
