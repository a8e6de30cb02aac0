"""Calls of the user's function: one at a time, with a place to wait and a time to be done.

Two threads of the server bring calls here. Whoever finds the function free becomes the leader and
runs what waits, its own call and the other's; handing each call to a thread of its own would cost
more than most functions do (figures in docs/adr/0003). The other one *rests* for as long as the
leader gets along, so that they do not fight for the GIL, and goes back to the server as soon as
one call takes longer than REST_SECONDS: so there always is a thread for bodies, refusals and
unknown paths, and never more than one in the function.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from model_harness.errors import RefusedError
from model_harness.exchange import Exchange
from model_harness.log import logger

REST_SECONDS = 0.005  # the most that a slow call keeps the front waiting, twice at worst
MESSAGE_CHARACTERS = 2000  # of an exception; the whole of it is in the log


class ResultEncoder(Protocol):
    """The part of a dialect that a finished call needs."""

    def success(self, result: object, seconds: float, request_id: str) -> bytes:
        """Return the body of a 200. Raises TypeError where the result cannot be encoded."""


class Call:
    """Arguments on their way to the function."""

    __slots__ = ("arguments", "deadline", "encoder", "exchange")

    def __init__(
        self,
        exchange: Exchange,
        encoder: ResultEncoder,
        arguments: tuple[list[object], dict[str, object]],
        deadline: float,
    ) -> None:
        """`deadline` is in time.perf_counter's seconds."""
        self.exchange = exchange
        self.encoder = encoder
        self.arguments: tuple[list[object], dict[str, object]] | None = arguments
        self.deadline = deadline


class Calls:
    """All calls in flight: those that wait and the one in the function."""

    def __init__(self, in_flight: int, timeout_seconds: float) -> None:
        """`timeout_seconds` is counted from the complete request, waiting included."""
        self._limit = in_flight
        self._timeout = timeout_seconds
        self._function: Callable[..., object] = _not_loaded
        self._open: set[Call] = set()
        self._waiting: deque[Call] = deque()
        self._turn = threading.Lock()
        self._resting = threading.Lock()
        self._begun = 0
        self._running_since: float | None = None

    def use(self, function: Callable[..., object]) -> None:
        """Set the function, once it is loaded."""
        self._function = function

    def full(self) -> bool:
        """Whether one more call would be over the limit."""
        return len(self._open) >= self._limit

    def admit(
        self,
        exchange: Exchange,
        encoder: ResultEncoder,
        arguments: tuple[list[object], dict[str, object]],
    ) -> None:
        """Put a call in line, and run the line if nobody does. Raises RefusedError(429)."""
        if len(self._open) >= self._limit:
            raise too_many(self._limit)
        call = Call(exchange, encoder, arguments, time.perf_counter() + self._timeout)
        self._open.add(call)
        self._waiting.append(call)
        # Asking again after the turn is given back: a call that came in between is not left behind.
        while self._waiting:
            if not self._turn.acquire(blocking=False):
                self._rest()
                return
            try:
                self._lead()
            finally:
                self._turn.release()

    def expire(self, now: float) -> None:
        """Answer 504 for every call past its deadline, also for the one that is running."""
        for call in list(self._open):
            if call.deadline <= now:
                self._open.discard(call)
                call.arguments = None  # frees the memory, and the leader passes it over
                message = f"the function took longer than {self._timeout:g} s"
                call.exchange.refuse(RefusedError(504, message))

    def running_seconds(self, now: float) -> float:
        """How long the current call has been in the function; 0 when there is none."""
        since = self._running_since
        return 0.0 if since is None else now - since

    def _lead(self) -> None:
        while self._waiting:
            self._begun += 1
            self._run(self._waiting.popleft())

    def _rest(self) -> None:
        if not self._resting.acquire(blocking=False):
            return
        try:
            seen = -1
            while seen != self._begun:
                seen = self._begun
                time.sleep(REST_SECONDS)
        finally:
            self._resting.release()

    def _run(self, call: Call) -> None:
        arguments = call.arguments
        if arguments is None:
            return
        exchange = call.exchange
        self._running_since = began = time.perf_counter()
        try:
            result = self._function(*arguments[0], **arguments[1])
            seconds = time.perf_counter() - began
            body, status = call.encoder.success(result, seconds, exchange.request_id), 200
        except BaseException as error:  # noqa: BLE001 - also sys.exit() in a function is its error
            refused = _failure(error, call)
            self._finish(call)
            exchange.refuse(refused)
        else:
            self._finish(call)
            exchange.send(status, body)

    def _finish(self, call: Call) -> None:
        """Free the place before the answer goes out: its client may send the next at once."""
        self._running_since = None
        self._open.discard(call)


def too_many(limit: int) -> RefusedError:
    """Return the refusal for a call over the limit."""
    message = f"{limit} requests are in flight, which is the limit; try again"
    return RefusedError(429, message, headers={"retry-after": "1"})


def _failure(error: BaseException, call: Call) -> RefusedError:
    """Log the traceback; the client gets type and message."""
    extra = {"request_id": call.exchange.request_id}
    logger.error("the function failed", exc_info=error, extra=extra)
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ of the user's exception
        message = "(its message cannot be shown)"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return RefusedError(500, text[:MESSAGE_CHARACTERS])


def _not_loaded() -> object:
    raise RuntimeError("the function is not loaded")
