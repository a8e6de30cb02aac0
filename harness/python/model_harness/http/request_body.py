"""Read request bodies with limits on their size, rate, number and total memory."""

import threading
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from model_harness.errors import RETRY_AFTER, RequestError
from model_harness.http.granian_core import RSGIProtocolClosed, RSGIProtocolError
from model_harness.http.response import Responder

SMALL_BODY_BYTES = 64 * 1024  # up to this size Granian collects a body in one step
MAX_LARGE_BODIES = 8  # bodies of the full size that may be in memory at once
MAX_DRAINED_BYTES = 256 * 1024 * 1024  # of a refused body, so that its sender reads the response
MAX_ARRIVING_BODIES = 512  # half of the connections: the others are for health and refusals
BODY_TIMEOUT_SECONDS = 120.0  # for the whole body
DRAIN_TIMEOUT_SECONDS = 30.0  # for the rest of a refused body
GRACE_SECONDS = 5.0  # before the minimum rate counts
MIN_BYTES_PER_SECOND = 1024


class BodyFuture(Awaitable[bytes], Protocol):
    """Granian's future of a body or a chunk."""

    def cancel(self) -> bool:
        """Give up: close the coroutine that waits, and with it the connection."""


class BodySource(Protocol):
    """The part of Granian's protocol object that receives."""

    def __call__(self) -> BodyFuture:
        """Collect the whole body."""

    def __aiter__(self) -> "BodySource":
        """Start to receive chunks."""

    def __anext__(self) -> BodyFuture:
        """Return a chunk: an empty one at the end, a second empty one if the body broke off.

        Raise StopAsyncIteration after the last one, at the call.
        """


@dataclass(slots=True)
class _Arrival:
    """A body of which a part is awaited."""

    future: BodyFuture
    deadline: float
    is_refused: bool = False


class BodyReader:
    """Reads all bodies of a process."""

    def __init__(self, limit: int) -> None:
        """Create the reader. `limit` is the maximum size of one body in bytes."""
        self._limit = limit
        self._reserved = 0
        self._lock = threading.Lock()
        self._arrivals: dict[Responder, _Arrival] = {}

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
        if len(self._arrivals) >= MAX_ARRIVING_BODIES:
            message = "too many request bodies are arriving; try again"
            raise RequestError(429, message, headers=RETRY_AFTER)
        if size is not None and size <= SMALL_BODY_BYTES:
            future = source()
            seconds = GRACE_SECONDS + size / MIN_BYTES_PER_SECOND
            self._arrivals[responder] = _Arrival(future, time.perf_counter() + seconds)
            return future
        return self._collect(source, size, responder)

    def finish(self, responder: Responder) -> None:
        """Remove the deadline of a body."""
        self._arrivals.pop(responder, None)

    async def drain(self, source: BodySource, responder: Responder) -> None:
        """Discard a body after a response that did not need it.

        Otherwise the connection closes while the client sends, and a proxy responds with 502. With
        many connections it does close, so that others can connect.
        """
        if len(self._arrivals) >= MAX_ARRIVING_BODIES:
            return
        drained = 0
        with suppress(RSGIProtocolClosed, RSGIProtocolError):
            try:
                async for chunk in self._chunks(source, responder, is_refused=True):
                    drained += len(chunk)
                    if not chunk or drained > MAX_DRAINED_BYTES:
                        break
            finally:
                self.finish(responder)

    def expire(self, now: float) -> None:
        """Respond to requests whose body is too slow, and close their connections."""
        for responder, arrival in list(self._arrivals.items()):
            if arrival.deadline <= now:
                self._arrivals.pop(responder, None)
                if not arrival.is_refused:
                    message = (
                        f"the body arrives too slowly: after {GRACE_SECONDS:g} s send at least "
                        f"{MIN_BYTES_PER_SECOND} bytes per second, and all within "
                        f"{BODY_TIMEOUT_SECONDS:g} s"
                    )
                    responder.send_error(RequestError(400, message))
                arrival.future.cancel()

    async def _chunks(
        self, source: BodySource, responder: Responder, *, is_refused: bool
    ) -> AsyncIterator[bytes]:
        """Yield chunks, each with a deadline that follows from the minimum rate."""
        start = time.perf_counter()
        end = start + (DRAIN_TIMEOUT_SECONDS if is_refused else BODY_TIMEOUT_SECONDS)
        received = 0
        with suppress(RSGIProtocolError):  # a part of the body was received before
            aiter(source)
        while True:
            try:
                future = anext(source)
            except StopAsyncIteration:
                return
            deadline = start + GRACE_SECONDS + received / MIN_BYTES_PER_SECOND
            self._arrivals[responder] = _Arrival(future, min(deadline, end), is_refused)
            chunk = await future
            received += len(chunk)
            yield chunk

    async def _collect(self, source: BodySource, size: int | None, responder: Responder) -> bytes:
        chunks: list[bytes] = []
        received = end_markers = 0
        try:
            async for chunk in self._chunks(source, responder, is_refused=False):
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
