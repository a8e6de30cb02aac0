"""Reading a body without trusting its sender: bounded in bytes, in time, and in sum."""

import threading
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Protocol

from model_harness.errors import RefusedError
from model_harness.exchange import Exchange
from model_harness.granian_core import RSGIProtocolClosed, RSGIProtocolError

SMALL_BYTES = 64 * 1024  # up to here Granian may collect a body by itself, in one step
HELD_BODIES = 8  # full-sized bodies that may be in memory at once, all requests together
THROWN_AWAY_BYTES = 256 * 1024 * 1024  # of a refused body; its sender must get to the answer
ARRIVE_SECONDS = 120.0  # for the whole body; a slow line is no error, a stalled one is


class BodySource(Protocol):
    """What is used of Granian's protocol object."""

    def __call__(self) -> Awaitable[bytes]:
        """Collect the whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give it in pieces; an empty one at the end, a second empty one if it broke off."""


class Bodies:
    """Reads all bodies of a process."""

    def __init__(self, limit: int) -> None:
        """`limit` is the most bytes that one body may have."""
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()
        self._arriving: dict[Exchange, float] = {}

    def read(
        self, source: BodySource, declared: str | None, exchange: Exchange
    ) -> Awaitable[bytes]:
        """Return the body, to be awaited; `arrived` is to be called after that, however it ends.

        Raises RefusedError (400, 413, 429), and Granian's own errors where the body broke off.
        This is no coroutine: one within another costs a small body more than the rest of it.
        """
        size = None if declared is None else int(declared)
        if size is not None and size > self._limit:
            raise self._too_large()
        self._arriving[exchange] = time.perf_counter() + ARRIVE_SECONDS
        if size is not None and size <= SMALL_BYTES:
            return source()
        return self._stream(source, size)

    def arrived(self, exchange: Exchange) -> None:
        """Wait for it no more."""
        self._arriving.pop(exchange, None)

    async def throw_away(self, source: BodySource) -> None:
        """Read on, for nothing, after an answer that did not wait for the body.

        Else the connection closes under the sender, and a proxy makes a 502 of the answer.
        """
        taken = 0
        with suppress(RSGIProtocolClosed, RSGIProtocolError):
            async for piece in source:
                taken += len(piece)
                if not piece or taken > THROWN_AWAY_BYTES:
                    break

    def expire(self, now: float) -> None:
        """Give up on bodies that do not come to an end."""
        for exchange, deadline in list(self._arriving.items()):
            if deadline <= now:
                self._arriving.pop(exchange, None)
                message = f"the body did not arrive within {ARRIVE_SECONDS:g} s"
                exchange.refuse(RefusedError(400, message))

    async def _stream(self, source: BodySource, size: int | None) -> bytes:
        pieces: list[bytes] = []
        taken = ends = 0
        try:
            async for piece in source:
                ends += not piece
                taken += len(piece)
                if taken > self._limit:
                    raise self._too_large()
                self._hold(len(piece))
                pieces.append(piece)
        finally:
            self._hold(-sum(map(len, pieces)))
        if size is not None and taken != size:
            raise broken_off()
        if ends > 1:
            raise RefusedError(
                400, "the chunked body broke off (or has trailers, which are refused)"
            )
        return b"".join(pieces)

    def _hold(self, count: int) -> None:
        """Count bytes of bodies that are underway, over all requests."""
        with self._lock:
            if count > 0 and self._held + count > HELD_BODIES * self._limit:
                message = "too many large bodies are underway; try again"
                raise RefusedError(429, message, headers={"retry-after": "1"})
            self._held += count

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body is over the limit of {self._limit} bytes")


def broken_off() -> RefusedError:
    """Whose client may still listen: it can end its half of the connection alone."""
    return RefusedError(400, "the body broke off before its end")
