"""Read request bodies with limits on their size, their duration and their total memory."""

import threading
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Protocol

from model_harness.errors import RETRY_AFTER, RequestError
from model_harness.http.granian_core import RSGIProtocolClosed, RSGIProtocolError
from model_harness.http.response import Responder

SMALL_BODY_BYTES = 64 * 1024  # up to this size Granian collects a body in one step
MAX_LARGE_BODIES = 8  # bodies of the full size that may be in memory at once
MAX_DRAINED_BYTES = 256 * 1024 * 1024  # of a refused body, so that its sender reads the response
BODY_TIMEOUT_SECONDS = 120.0  # for the whole body: slow connections are allowed, stalled are not


class BodySource(Protocol):
    """The part of Granian's protocol object that receives."""

    def __call__(self) -> Awaitable[bytes]:
        """Collect the whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks, an empty one at the end, and a second empty one if the body broke off."""


class BodyReader:
    """Reads all bodies of a process."""

    def __init__(self, limit: int) -> None:
        """Create the reader. `limit` is the maximum size of one body in bytes."""
        self._limit = limit
        self._reserved = 0
        self._lock = threading.Lock()
        self._deadlines: dict[Responder, float] = {}

    def read(
        self, source: BodySource, declared: str | None, responder: Responder
    ) -> Awaitable[bytes]:
        """Return the body, to be awaited. Call `finish` afterwards, also after an exception.

        Raise RequestError (400, 413, 429), and the errors of Granian where the body broke off.
        This is not a coroutine: nesting one costs more than everything else for a small body.
        """
        size = None if declared is None else int(declared)
        if size is not None and size > self._limit:
            raise self._too_large()
        self._deadlines[responder] = time.perf_counter() + BODY_TIMEOUT_SECONDS
        if size is not None and size <= SMALL_BODY_BYTES:
            return source()
        return self._stream(source, size)

    def finish(self, responder: Responder) -> None:
        """Remove the deadline of a body."""
        self._deadlines.pop(responder, None)

    async def drain(self, source: BodySource) -> None:
        """Discard a body after a response that did not need it.

        Otherwise the connection closes while the client sends, and a proxy responds with 502.
        """
        drained = 0
        with suppress(RSGIProtocolClosed, RSGIProtocolError):
            async for chunk in source:
                drained += len(chunk)
                if not chunk or drained > MAX_DRAINED_BYTES:
                    break

    def expire(self, now: float) -> None:
        """Respond to requests whose body did not arrive in time."""
        for responder, deadline in list(self._deadlines.items()):
            if deadline <= now:
                self._deadlines.pop(responder, None)
                message = f"the body did not arrive within {BODY_TIMEOUT_SECONDS:g} s"
                responder.send_error(RequestError(400, message))

    async def _stream(self, source: BodySource, size: int | None) -> bytes:
        chunks: list[bytes] = []
        received = end_markers = 0
        try:
            async for chunk in source:
                end_markers += not chunk
                received += len(chunk)
                if received > self._limit:
                    raise self._too_large()
                self._reserve(len(chunk))
                chunks.append(chunk)
        finally:
            self._reserve(-sum(map(len, chunks)))
        if size is not None and received != size:
            raise incomplete_body()
        if end_markers > 1:
            raise RequestError(
                400, "the chunked body broke off (or has trailers, which are not supported)"
            )
        return b"".join(chunks)

    def _reserve(self, count: int) -> None:
        """Reserve memory for `count` bytes, or release it. Raise RequestError(429)."""
        with self._lock:
            if count > 0 and self._reserved + count > MAX_LARGE_BODIES * self._limit:
                message = "too many large bodies are being received; try again"
                raise RequestError(429, message, headers=RETRY_AFTER)
            self._reserved += count

    def _too_large(self) -> RequestError:
        return RequestError(413, f"the body is over the limit of {self._limit} bytes")


def incomplete_body() -> RequestError:
    """Return the error for a client that closed its half of the connection but still reads."""
    return RequestError(400, "the body broke off before its end")
