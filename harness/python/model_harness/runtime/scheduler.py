"""Schedule calls of the user's function: a limited number at a time, each with a deadline.

Performance-critical, see docs/adr/0003-harness-server.md.

    queued ---> running ---> answered (200, 500)
       |           |
       +--deadline-+---> timed out (504 is sent) ---> discarded when the function returns

The threads of the server submit calls; there is one thread more than the function may use at a
time. A thread that finds the function free runs the whole queue: handing each call to another
thread would cost more than most functions do. With one call at a time the other thread *parks*
while the queue makes progress, so that the two do not compete for the GIL, and returns to the
server as soon as one call takes longer than the pause (`PARK_SECONDS` and more). So there always
is a thread for bodies, errors and unknown paths. Two threads that take turns, because each finds
a fast function free, would compete as well: so one of them parks then, too.

`async def` functions and functions in other languages are run by an `Executor` instead.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from model_harness.binding.table_binding import Invocation, Rows
from model_harness.errors import RequestError, too_many_requests
from model_harness.http.response import Responder
from model_harness.observability.metrics import RequestCounters
from model_harness.observability.worker_stats import InFlightLimit
from model_harness.protocols.encoders import ResultEncoder
from model_harness.runtime.call import Call

PARK_SECONDS = 0.005
# The longest time that a slow call delays the server, twice at worst. A thread that wakes up waits
# for the GIL, and slows the running call down wherever numpy releases it.
MAX_PARK_SECONDS = 0.02


class Executor(Protocol):
    """Runs calls outside the threads of the server and reports the end of each to the scheduler."""

    def submit(self, call: Call) -> None:
        """Run the call soon. Its arguments are None after its deadline."""

    def cancel(self, call: Call) -> None:
        """Stop the call if possible: its deadline has passed and 504 was sent."""


class CallScheduler:
    """All calls in flight: those that are queued and those that run."""

    def __init__(
        self,
        in_flight: int,
        timeout_seconds: float,
        threads: int = 1,
        counters: RequestCounters | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        """Create it. `timeout_seconds` counts from the complete request, including queueing.

        `threads` is 0 where an executor runs all calls. `redact` removes secrets from the messages
        of exceptions.
        """
        self._limit = in_flight
        self._timeout = timeout_seconds
        self._is_serial = threads == 1
        self._counters = RequestCounters() if counters is None else counters
        self._redact = redact
        self._function: Callable[..., object] = _not_loaded
        self._executor: Executor | None = None
        self._shared_limit: InFlightLimit | None = None
        self._open: set[Call] = set()
        self._queue: deque[Call] = deque()
        self._timed_out: set[Call] = set()  # answered with 504 but still running
        self._permits = threading.Lock() if threads == 1 else threading.Semaphore(threads)
        self._parked = threading.Lock()
        self._started_count = 0
        self._last_thread = 0  # the thread that last submitted a call and found the queue empty

    def set_function(self, function: Callable[..., object]) -> None:
        """Run calls in the threads of the server by this function."""
        self._function = function

    def set_executor(self, executor: Executor) -> None:
        """Run calls by an executor."""
        self._executor = executor

    def share_limit(self, limit: InFlightLimit) -> None:
        """Apply the limit to the calls of all workers together."""
        self._shared_limit = limit

    def is_full(self) -> bool:
        """Return whether another call would exceed the limit."""
        count = len(self._open)
        return count >= self._limit or (
            self._shared_limit is not None
            and count + self._shared_limit.in_flight_elsewhere() >= self._limit
        )

    def in_flight(self) -> int:
        """Return how many calls this process has accepted and not answered."""
        return len(self._open)

    def submit(
        self, responder: Responder, encoder: ResultEncoder, arguments: Invocation, received: float
    ) -> None:
        """Queue a call, and run the queue if no thread does. Raise RequestError(429).

        The timeout counts from `received`, in seconds of time.perf_counter.
        """
        if len(self._open) >= self._limit:
            raise too_many_requests(self._limit)
        call = Call(responder, encoder, arguments, received + self._timeout)
        self._open.add(call)
        shared_limit = self._shared_limit
        if shared_limit is not None and not shared_limit.acquire(len(self._open), self._limit):
            self._close(call)
            raise too_many_requests(self._limit)
        if self._executor is not None:
            self._executor.submit(call)
            return
        self._queue.append(call)
        # Check again after the permit is released: another call may have been queued meanwhile.
        while self._queue:
            if not self._permits.acquire(False):  # a keyword argument would take twice the time
                if self._is_serial:
                    self._park()
                return
            try:
                self._run_queue()
            finally:
                self._permits.release()
        thread = threading.get_ident()
        if self._is_serial and self._last_thread != thread:
            self._last_thread = thread
            self._park()

    def expire(self, now: float) -> None:
        """Answer every call after its deadline with 504, also running ones."""
        for call in list(self._open):
            if call.deadline > now:
                continue
            self._timed_out.add(call)  # before it is closed: the thread that runs it discards it
            if not self._close(call):
                self._timed_out.discard(call)
                continue
            call.arguments = None  # frees the memory; a queued call is skipped
            if not call.running_since:
                call.responder.release_memory()
            message = f"the function took longer than {self._timeout:g} s"
            call.responder.send_error(RequestError(504, message))
            if self._executor is not None:
                self._executor.cancel(call)

    def longest_running_seconds(self, now: float) -> float:
        """Return for how long the oldest running call has run; 0 if none is running.

        A running call is open or timed out, so there is no third collection of calls.
        """
        calls = [*self._open, *self._timed_out]
        return now - min((call.running_since for call in calls if call.running_since), default=now)

    def complete(self, call: Call, result: object, seconds: float) -> None:
        """Answer a call with the result that an executor received after `seconds`."""
        try:
            body = call.encoder.success(result, seconds, call.responder.request_id)
        except Exception as error:  # noqa: BLE001 - objects of the user may raise anything
            self.fail(call, error)
            return
        if self._close(call):
            call.responder.send(200, body)
            self._counters.count_result(time.perf_counter() - call.deadline + self._timeout)
        else:
            self._timed_out.discard(call)
        call.responder.release_memory()

    def discard(self, call: Call) -> None:
        """Forget a timed-out call that has ended."""
        self._timed_out.discard(call)
        call.responder.release_memory()

    def fail(self, call: Call, error: BaseException) -> None:
        """Answer a call with an error and log its traceback, unless the timeout caused it."""
        call.responder.release_memory()
        if call.is_timeout(error):
            self._timed_out.discard(call)
            return
        response = error if isinstance(error, RequestError) else call.log_error(error)
        if self._close(call):
            if response is not error:
                self._counters.count_function_error()
            sentences = map(self._redact, response.errors)
            call.responder.send_error(
                RequestError(response.status, *sentences, headers=response.headers)
            )
        else:
            self._timed_out.discard(call)

    def _run_queue(self) -> None:
        while self._queue:
            self._started_count += 1
            try:
                call = self._queue.popleft()
            except IndexError:  # another thread took it
                return
            self._run(call)

    def _park(self) -> None:
        """Sleep while the queue makes progress."""
        if not self._parked.acquire(blocking=False):
            return
        try:
            count, seconds = -1, PARK_SECONDS
            while count != self._started_count:
                count = self._started_count
                time.sleep(seconds)
                seconds = min(2 * seconds, MAX_PARK_SECONDS)
        finally:
            self._parked.release()

    def _run(self, call: Call) -> None:
        arguments = call.arguments
        if arguments is None:
            self._timed_out.discard(call)
            return
        call.running_since = started = time.perf_counter()  # first: the watchdog reads it any time
        responder = call.responder
        try:
            result: object
            if isinstance(arguments, Rows):
                result = call.run_rows(self._function, arguments)
            else:
                result = self._function(*arguments[0], **arguments[1])
            ended = time.perf_counter()
            body = call.encoder.success(result, ended - started, responder.request_id)
        except BaseException as error:  # noqa: BLE001 - sys.exit() is an error of the function, too
            self.fail(call, error)
            return
        if self._close(call):  # before the response: the client may send its next call at once
            responder.send(200, body)
            self._counters.count_result(ended - call.deadline + self._timeout)
        else:
            self._timed_out.discard(call)
        if responder.reserved_bytes:
            responder.release_memory()

    def _close(self, call: Call) -> bool:
        """Remove an open call; return False if another thread has removed and answered it."""
        try:
            self._open.remove(call)
        except KeyError:
            return False
        if self._shared_limit is not None:
            self._shared_limit.release(len(self._open))
        return True


def _not_loaded() -> object:
    raise RuntimeError("the function is not loaded")
