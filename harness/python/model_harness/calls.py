"""Calls of the user's function: so many at a time, with a place to wait and a time to be done.

The server's threads bring calls here, one thread more than the function may have at a time. Whoever
finds the function free becomes a leader and runs what waits, its own call and the others'; handing
each call to a thread of its own would cost more than most functions do (figures in docs/adr/0003).
With one at a time the other thread *rests* for as long as the leader gets along, so that they do
not fight for the GIL, and goes back to the server as soon as one call takes longer than
REST_SECONDS: so there always is a thread for bodies, refusals and unknown paths. Two threads that
take turns because each finds a quick function free would fight as well: so one rests then, too.
Functions that are `async def` run in an event loop instead, as many at a time as may be in flight.
"""

import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, cast

from model_harness.errors import RefusedError
from model_harness.exchange import Content, Exchange
from model_harness.log import logger
from model_harness.rows import Invocation, Rows
from model_harness.shared import Line

if TYPE_CHECKING:
    from model_harness.event_loop import EventLoop

REST_SECONDS = 0.005  # the most that a slow call keeps the front waiting, twice at worst
MESSAGE_CHARACTERS = 2000  # of an exception; the whole of it is in the log


class ResultEncoder(Protocol):
    """The part of a dialect that a finished call needs."""

    def success(self, result: object, seconds: float, request_id: str) -> bytes | Content:
        """Return the body of a 200. Raises TypeError where the result cannot be encoded."""


class Call:
    """Arguments on their way to the function."""

    __slots__ = ("arguments", "cancel", "deadline", "encoder", "exchange", "running_since")

    def __init__(
        self,
        exchange: Exchange,
        encoder: ResultEncoder,
        arguments: Invocation,
        deadline: float,
    ) -> None:
        """`deadline` is in time.perf_counter's seconds."""
        self.exchange = exchange
        self.encoder = encoder
        self.arguments: Invocation | None = arguments
        self.deadline = deadline
        self.running_since = 0.0
        self.cancel: Callable[[], object] | None = None  # of a call in the event loop


class _Running(threading.local):
    call: Call


running = _Running()
"""The call that this thread is in; a handler that stands for another process needs its deadline."""


class _GoneError(Exception):
    """The time of a call was over before all of its rows were done."""


_ENDED = frozenset({_GoneError.__name__, "CancelledError"})  # the latter is asyncio's


class Calls:
    """All calls in flight: those that wait and those in the function."""

    def __init__(self, in_flight: int, timeout_seconds: float, threads: int = 1) -> None:
        """`timeout_seconds` is counted from the complete request, waiting included."""
        self._limit = in_flight
        self._timeout = timeout_seconds
        self._one_at_a_time = threads == 1
        self._function: Callable[..., object] = _not_loaded
        self._loop: EventLoop | None = None
        self._line: Line | None = None
        self._open: set[Call] = set()
        self._waiting: deque[Call] = deque()
        self._running: set[Call] = set()
        self._turn = threading.Lock() if threads == 1 else threading.Semaphore(threads)
        self._resting = threading.Lock()
        self._begun = 0
        self._last = 0  # the thread that last brought a call and saw it done

    def use(self, function: Callable[..., object], *, asynchronous: bool = False) -> None:
        """Set the function, once it is loaded."""
        self._function = function
        if asynchronous:
            from model_harness.event_loop import EventLoop  # noqa: PLC0415 - 3 MB that few need

            self._loop = EventLoop()
            self._loop.start()

    def share(self, line: Line) -> None:
        """Count the calls of other processes, too: the limit holds for all together."""
        self._line = line

    def full(self) -> bool:
        """Whether one more call would be over the limit."""
        here = len(self._open)
        return here >= self._limit or (
            self._line is not None and here + self._line.elsewhere() >= self._limit
        )

    def in_flight(self) -> int:
        """How many calls this process has taken and not answered."""
        return len(self._open)

    def admit(self, exchange: Exchange, encoder: ResultEncoder, arguments: Invocation) -> None:
        """Put a call in line, and run the line if nobody does. Raises RefusedError(429)."""
        if len(self._open) >= self._limit:
            raise too_many(self._limit)
        call = Call(exchange, encoder, arguments, time.perf_counter() + self._timeout)
        self._open.add(call)
        if self._line is not None and not self._line.enter(len(self._open), self._limit):
            self._leave(call)
            raise too_many(self._limit)
        if self._loop is not None:
            self._loop.call(self._begin, call)
            return
        self._waiting.append(call)
        # Asking again after the turn is given back: a call that came in between is not left behind.
        while self._waiting:
            if not self._turn.acquire(blocking=False):
                if self._one_at_a_time:
                    self._rest()
                return
            try:
                self._lead()
            finally:
                self._turn.release()
        me = threading.get_ident()
        if self._one_at_a_time and self._last != me:
            self._last = me
            self._rest()

    def expire(self, now: float) -> None:
        """Answer 504 for every call past its deadline, also for those that are running."""
        for call in list(self._open):
            if call.deadline <= now and self._leave(call):
                call.arguments = None  # frees the memory, and the leader passes it over
                message = f"the function took longer than {self._timeout:g} s"
                call.exchange.refuse(RefusedError(504, message))
                if self._loop is not None and call.cancel is not None:
                    self._loop.call(call.cancel)

    def running_seconds(self, now: float) -> float:
        """How long the oldest call has been in the function; 0 when there is none."""
        return now - min((call.running_since for call in list(self._running)), default=now)

    def _lead(self) -> None:
        while self._waiting:
            self._begun += 1
            try:
                call = self._waiting.popleft()
            except IndexError:  # another leader was faster
                return
            self._run(call)

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
        running.call = call
        call.running_since = began = time.perf_counter()  # first: the watchdog looks at any time
        self._running.add(call)
        exchange = call.exchange
        try:
            result: object
            if isinstance(arguments, Rows):
                result = self._each_row(call, arguments)
            else:
                result = self._function(*arguments[0], **arguments[1])
            done = time.perf_counter()
            body = call.encoder.success(result, done - began, exchange.request_id)
        except BaseException as error:  # noqa: BLE001 - also sys.exit() in a function is its error
            self._fail(call, error)
            return
        # Free the place before the answer goes out: its client may send the next at once.
        self._running.discard(call)
        if self._leave(call):
            exchange.send(200, body)
            exchange.counters.answered(done - call.deadline + self._timeout)

    def _each_row(self, call: Call, rows: Rows) -> list[object]:
        results = []
        for positional, named in rows.calls:
            if call.arguments is None:
                raise _GoneError
            results.append(self._function(*positional, **named))
        return results

    def _begin(self, call: Call) -> None:
        """Start a call of an `async def`; runs in the event loop."""
        if self._loop is not None and call.arguments is not None:
            call.running_since = time.perf_counter()
            self._running.add(call)
            call.cancel = self._loop.task(self._run_async(call, call.arguments)).cancel
            if call not in self._open:  # expired in between, when there was nothing to cancel
                call.cancel()

    async def _run_async(self, call: Call, arguments: Invocation) -> None:
        function = cast("Callable[..., Awaitable[object]]", self._function)
        began = call.running_since
        try:
            result: object
            if isinstance(arguments, Rows):
                result = [await function(*values, **named) for values, named in arguments.calls]
            else:
                result = await function(*arguments[0], **arguments[1])
            done = time.perf_counter()
            body = call.encoder.success(result, done - began, call.exchange.request_id)
        except BaseException as error:  # noqa: BLE001 - else sys.exit() would end the loop
            self._fail(call, error)
        else:
            self._answer(call, body, done)

    def _answer(self, call: Call, body: bytes | Content, done: float) -> None:
        """Free the place before the answer goes out: its client may send the next at once."""
        self._running.discard(call)
        if self._leave(call):
            call.exchange.send(200, body)
            call.exchange.counters.answered(done - call.deadline + self._timeout)

    def _fail(self, call: Call, error: BaseException) -> None:
        """Log the traceback, except where it was the time-out that ended the call."""
        self._running.discard(call)
        if call.arguments is None and type(error).__name__ in _ENDED:
            return
        refused = error if isinstance(error, RefusedError) else _failure(error, call)
        if self._leave(call):
            if refused is not error:
                call.exchange.counters.function_failed()
            call.exchange.refuse(refused)

    def _leave(self, call: Call) -> bool:
        """Whether the call was still open: whoever takes it out answers."""
        try:
            self._open.remove(call)
        except KeyError:
            return False
        if self._line is not None:
            self._line.leave(len(self._open))
        return True


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
