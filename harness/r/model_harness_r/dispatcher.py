"""Which R process gets which call, and when: one line for all of them.

While all are busy, calls that are expected to be quick are sent ahead, into a process's pipe, where
R finds the next one at once: otherwise it would sleep after each call until the front has woken up,
answered and asked again (figures in docs/adr/0023). What a slow call keeps waiting there is taken
back, so that no call waits long for one process while another one is idle.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import cast

from model_harness.call import Call
from model_harness.calls import Calls
from model_harness.rows import Arguments, Rows

from model_harness_r import vital
from model_harness_r.errors import WorkerEndedError, condition
from model_harness_r.process import RESULT, Answer, EndedError, RProcess, is_long
from model_harness_r.reader import read

AHEAD_SECONDS = 0.005  # of calls in one process's pipe, by the time that the last one took
MOST_AHEAD = 8  # calls in a process and its pipe
CLOSED_SECONDS = 1.0  # between the end of the pipe and that of the process

_Done = list[tuple["_Job", Answer]]


class _Job:
    """A call, as requests to R: one, or one for each row of a table."""

    __slots__ = ("call", "request", "results", "rows", "seconds")

    def __init__(self, call: Call, request: bytes, rows: Iterator[Arguments] | None) -> None:
        self.call = call
        self.request = request
        self.rows = rows
        self.results: list[object] = []
        self.seconds = 0.0


class Lane:
    """A process and what has been sent to it, in order; R is in the first one."""

    __slots__ = ("ahead", "began", "jobs", "process")

    def __init__(self, process: RProcess) -> None:
        """Nothing is sent yet."""
        self.process = process
        self.jobs: deque[_Job] = deque()
        self.ahead = 1  # so many jobs may be in it
        self.began = 0.0  # when R began with the first job, as far as is known


class Dispatcher:
    """Sends and answers calls, in whichever thread finds that it can be done."""

    def __init__(self) -> None:
        """Nothing comes in before `serve`."""
        self._lock = threading.Lock()  # for all below
        self._waiting: deque[_Job] = deque()
        self._lanes: dict[int, Lane] = {}
        self._unsent: dict[int, Lane] = {}
        self._looks = False
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)

    def serve(self, request_of: Callable[[Arguments], bytes], calls: Calls) -> None:
        """Run the calls from now on. `request_of` may raise RefusedError."""
        self._request_of = request_of
        self._calls = calls
        vital.start("R answers", self._answer)
        calls.hand_to(self)

    def join(self, process: RProcess) -> Lane:
        """Let a process that is ready take part."""
        lane = Lane(process)
        with self._lock:
            self._lanes[process.answers_from] = lane
            self._epoll.register(process.answers_from, select.EPOLLIN)
            self._send_on()
        return lane

    def leave(self, lane: Lane) -> None:
        """Fail the call that a process was in when it ended, and give the others to the rest."""
        done: _Done = []
        with self._lock:
            self._drop(lane)
            self._hear(lane, done)
            self._take_back(lane)
            lost, lane.jobs = lane.jobs, deque()
            self._send_on()
        for job, answer in done:
            self._finish(job, answer)
        for job in lost:
            message = f"{lane.process.reason()}; a new one is being started"
            self._fail(job, WorkerEndedError(message))

    def begin(self, call: Call) -> None:
        """Send it, or put it in line."""
        try:
            job = self._job(call)
        except Exception as error:  # noqa: BLE001 - RefusedError, or a mistake of ours
            self._calls.fail(call, error)
            return
        if job is not None:
            self._put(job)

    def cancel(self, call: Call) -> None:
        """End the process that is in it; if none is yet, none will be."""
        done: _Done = []
        with self._lock:
            for lane in self._lanes.values():
                if any(job.call is call for job in lane.jobs):
                    self._hear(lane, done)
                    self._take_back(lane)
                    # What is left is the one that R has read.
                    if lane.jobs and lane.jobs[0].call is call:
                        lane.process.kill("its call took too long")
                        self._drop(lane)
                    self._send_on()
                    break
        for job, answer in done:
            self._finish(job, answer)

    def _job(self, call: Call) -> _Job | None:
        arguments = call.arguments
        if arguments is None:  # its time is over already
            self._calls.forget(call)
            return None
        if not isinstance(arguments, Rows):
            return _Job(call, self._request_of(arguments), None)
        rows = arguments.calls
        first = next(rows, None)
        if first is None:
            self._calls.answer(call, [], 0.0)
            return None
        return _Job(call, self._request_of(first), rows)

    def _put(self, job: _Job) -> None:
        with self._lock:
            self._waiting.append(job)
            self._send_on()

    def _send_on(self) -> None:
        """Send what waits, in order, each to the process that has least to do."""
        waiting = self._waiting
        while waiting:
            job, found, least = waiting[0], None, MOST_AHEAD
            if job.call.arguments is None:  # answered, when its time was over
                self._calls.forget(waiting.popleft().call)
                continue
            for lane in self._lanes.values():
                count = len(lane.jobs)
                if count < least and count < lane.ahead and _fits(lane, job):
                    found, least = lane, count
            if found is None:
                return
            self._send(found, waiting.popleft())

    def _send(self, lane: Lane, job: _Job) -> None:
        jobs = lane.jobs
        jobs.append(job)
        if len(jobs) == 1:
            job.call.running_since = lane.began = time.perf_counter()
        elif not self._looks:
            self._looks = True
            os.eventfd_write(self._wake, 1)
        if not lane.process.send(job.request):
            self._unsent[lane.process.rest_to] = lane
            self._epoll.register(lane.process.rest_to, select.EPOLLOUT)

    def _answer(self) -> None:
        while True:
            done: _Done = []
            events = self._epoll.poll(AHEAD_SECONDS if self._looks else None)
            with self._lock:
                for descriptor, _ in events:
                    if lane := self._lanes.get(descriptor):
                        self._hear(lane, done)
                    elif lane := self._unsent.get(descriptor):
                        self._send_rest(lane)
                    elif descriptor == self._wake:
                        os.eventfd_read(self._wake)
                if self._looks:
                    self._look(time.perf_counter())
                self._send_on()
            for job, answer in done:
                self._finish(job, answer)

    def _hear(self, lane: Lane, done: _Done) -> None:
        try:
            answers = lane.process.answers()
        except EndedError:
            if self._drop(lane):
                self._take_back(lane)
                # It ends, in most cases; one that lives on is of no use any more.
                threading.Timer(CLOSED_SECONDS, lane.process.kill, ["it closed its pipe"]).start()
            return
        jobs = lane.jobs
        for answer in answers:
            done.append((jobs.popleft(), answer))
            calls = int(AHEAD_SECONDS / max(answer.seconds, 1e-6))
            lane.ahead = max(1, min(calls, MOST_AHEAD, lane.process.room))
        if answers and jobs:
            jobs[0].call.running_since = lane.began = time.perf_counter()

    def _drop(self, lane: Lane) -> bool:
        """Send no more to a process, and hear no more by itself; whether that was not so yet."""
        if self._unsent.pop(lane.process.rest_to, None):
            self._epoll.unregister(lane.process.rest_to)
        if not self._lanes.pop(lane.process.answers_from, None):
            return False
        self._epoll.unregister(lane.process.answers_from)
        return True

    def _send_rest(self, lane: Lane) -> None:
        if lane.process.send_rest():
            del self._unsent[lane.process.rest_to]
            self._epoll.unregister(lane.process.rest_to)

    def _look(self, now: float) -> None:
        """Take back what a slow call keeps waiting."""
        late = now - AHEAD_SECONDS
        self._looks = False
        for lane in self._lanes.values():
            if len(lane.jobs) > 1:
                if lane.began < late:
                    lane.ahead = 1
                    self._take_back(lane)
                else:
                    self._looks = True

    def _take_back(self, lane: Lane) -> None:
        for _ in range(lane.process.take_back()):
            self._waiting.appendleft(lane.jobs.pop())

    def _finish(self, job: _Job, answer: Answer) -> None:
        call = job.call
        if call.arguments is None:  # answered, when its time was over
            self._calls.forget(call)
            return
        try:
            value = read(answer.data)
            if answer.kind != RESULT:
                told = cast("dict[str, str]", value)
                raise condition(told["class"], told["message"], told["trace"])  # noqa: TRY301
            job.seconds += max(answer.seconds, 0.0)
            if job.rows is not None:
                job.results.append(value)
                if (row := next(job.rows, None)) is not None:
                    job.request = self._request_of(row)
                    self._put(job)
                    return
                value = job.results
        except Exception as error:  # noqa: BLE001 - what R cannot return, or the user's own error
            self._calls.fail(call, error)
        else:
            self._calls.answer(call, value, job.seconds)

    def _fail(self, job: _Job, error: Exception) -> None:
        if job.call.arguments is None:
            self._calls.forget(job.call)
        else:
            self._calls.fail(job.call, error)


def _fits(lane: Lane, job: _Job) -> bool:
    """Whether a job may follow those of a lane: a long one neither follows nor is followed."""
    return not lane.jobs or not (is_long(job.request) or is_long(lane.jobs[-1].request))
