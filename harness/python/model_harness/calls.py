"""Calls of the user's function: so many at a time, with a place to wait and a time to be done.

The server's threads bring calls here, one thread more than the function may have at a time. Whoever
finds the function free becomes a leader and runs what waits, its own call and the others'; handing
each call to a thread of its own would cost more than most functions do (figures in docs/adr/0003).
With one at a time the other thread *rests* for as long as the leader gets along, so that they do
not fight for the GIL, and goes back to the server as soon as one call takes longer than it rests
(REST_SECONDS and more): so there always is a thread for bodies, refusals and unknown paths. Two
threads that take turns because each finds a quick function free would fight as well: so one rests
then, too.
Functions that are `async def`, and those of other languages, are run by a `Runner` instead.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from model_harness.call import Call, ResultEncoder
from model_harness.errors import RefusedError
from model_harness.exchange import Exchange
from model_harness.rows import Invocation, Rows
from model_harness.shared import Line

REST_SECONDS = 0.005
# The most that a slow call keeps the front waiting, twice at worst. Who wakes up waits for the GIL,
# and until it has it slows the leader down at each place where numpy lets go of it.
LONGEST_REST_SECONDS = 0.02


class Runner(Protocol):
    """Runs calls by other means than the server's threads; tells `Calls` of the end of each."""

    def begin(self, call: Call) -> None:
        """Run it soon. Its arguments are None from the moment that its time is over."""

    def cancel(self, call: Call) -> None:
        """Its time is over, and its client has been told: stop it, if that can be done."""


class Calls:
    """All calls in flight: those that wait and those in the function."""

    def __init__(self, in_flight: int, timeout_seconds: float, threads: int = 1) -> None:
        """`timeout_seconds` is counted from the complete request, waiting included.

        No threads where R runs the calls: none of the server's will wait for it.
        """
        self._limit = in_flight
        self._timeout = timeout_seconds
        self._one_at_a_time = threads == 1
        self._function: Callable[..., object] = _not_loaded
        self._runner: Runner | None = None
        self._line: Line | None = None
        self._open: set[Call] = set()
        self._waiting: deque[Call] = deque()
        self._overdue: set[Call] = set()  # answered with 504, and still to come back
        self._turn = threading.Lock() if threads == 1 else threading.Semaphore(threads)
        self._resting = threading.Lock()
        self._begun = 0
        self._last = 0  # the thread that last brought a call and saw it done

    def use(self, function: Callable[..., object]) -> None:
        """Set the function, once it is loaded."""
        self._function = function

    def hand_to(self, runner: Runner) -> None:
        """Let somebody else run the calls."""
        self._runner = runner

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
        if self._runner is not None:
            self._runner.begin(call)
            return
        self._waiting.append(call)
        # Asking again after the turn is given back: a call that came in between is not left behind.
        while self._waiting:
            if not self._turn.acquire(False):  # by place: by name it takes twice the time
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
            if call.deadline > now:
                continue
            self._overdue.add(call)  # before it leaves: whoever comes too late discards it
            if not self._leave(call):
                self._overdue.discard(call)
                continue
            call.arguments = None  # frees the memory, and the leader passes it over
            message = f"the function took longer than {self._timeout:g} s"
            call.exchange.refuse(RefusedError(504, message))
            if self._runner is not None:
                self._runner.cancel(call)

    def running_seconds(self, now: float) -> float:
        """How long the oldest call has been in the function; 0 when there is none.

        A call in the function is open or overdue, so that no call has to be kept a third time.
        """
        here = [*self._open, *self._overdue]
        return now - min((one.running_since for one in here if one.running_since), default=now)

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
            seen, seconds = -1, REST_SECONDS
            while seen != self._begun:
                seen = self._begun
                time.sleep(seconds)
                seconds = min(2 * seconds, LONGEST_REST_SECONDS)
        finally:
            self._resting.release()

    def _run(self, call: Call) -> None:
        arguments = call.arguments
        if arguments is None:
            self._overdue.discard(call)
            return
        call.running_since = began = time.perf_counter()  # first: the watchdog looks at any time
        exchange = call.exchange
        try:
            result: object
            if isinstance(arguments, Rows):
                result = call.each_row(self._function, arguments)
            else:
                result = self._function(*arguments[0], **arguments[1])
            done = time.perf_counter()
            body = call.encoder.success(result, done - began, exchange.request_id)
        except BaseException as error:  # noqa: BLE001 - also sys.exit() in a function is its error
            self.fail(call, error)
            return
        if self._leave(call):  # the place is free before the answer goes: the next may come at once
            exchange.send(200, body)
            exchange.counters.answered(done - call.deadline + self._timeout)
        else:
            self._overdue.discard(call)

    def answer(self, call: Call, result: object, seconds: float) -> None:
        """Answer with what a runner's function returned after so many seconds."""
        try:
            body = call.encoder.success(result, seconds, call.exchange.request_id)
        except Exception as error:  # noqa: BLE001 - whatever the user's objects raise
            self.fail(call, error)
            return
        if self._leave(call):
            call.exchange.send(200, body)
            call.exchange.counters.answered(time.perf_counter() - call.deadline + self._timeout)
        else:
            self._overdue.discard(call)

    def forget(self, call: Call) -> None:
        """Know that a call has come to its end after its time was over."""
        self._overdue.discard(call)

    def fail(self, call: Call, error: BaseException) -> None:
        """Log the traceback, except where it was the time-out that ended the call."""
        if call.ended_by_time(error):
            self._overdue.discard(call)
            return
        refused = error if isinstance(error, RefusedError) else call.failure(error)
        if self._leave(call):
            if refused is not error:
                call.exchange.counters.function_failed()
            call.exchange.refuse(refused)
        else:
            self._overdue.discard(call)

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


def _not_loaded() -> object:
    raise RuntimeError("the function is not loaded")
