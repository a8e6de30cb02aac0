"""Dispatch calls to R processes: one queue for all of them.

Performance-critical, see docs/adr/0023-r-behind-the-same-server.md. While all processes are busy,
calls that are expected to be fast are pipelined: sent into the pipe of a process, where R finds
the next one at once. Otherwise R would sleep after each call until the server has woken up,
answered, and sent again. Calls that a slow call delays there are reclaimed, so that no call waits
long for one process while another one is idle.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import cast

from model_harness.binding.table_binding import Arguments, Rows
from model_harness.runtime.call import Call
from model_harness.runtime.scheduler import CallScheduler

from model_harness_r.pool import critical_thread
from model_harness_r.pool.errors import WorkerEndedError, condition_error
from model_harness_r.pool.process import RESULT, Answer, ProcessEndedError, RProcess, is_long
from model_harness_r.serialization.deserialize import deserialize

PIPELINE_SECONDS = 0.005  # of calls in the pipe of one process, by the duration of the last call
MAX_PIPELINE_DEPTH = 8  # calls in a process and its pipe
CLOSED_PIPE_SECONDS = 1.0  # between the end of the pipe and the kill of the process

_Answered = list[tuple["_Job", Answer]]


class _Job:
    """A call as requests to R: a single one, or one per row of a table."""

    __slots__ = ("call", "request", "results", "rows", "seconds")

    def __init__(self, call: Call, request: bytes, rows: Iterator[Arguments] | None) -> None:
        self.call = call
        self.request = request
        self.rows = rows
        self.results: list[object] = []
        self.seconds = 0.0


class WorkerChannel:
    """A process and the jobs that were sent to it, in order; R runs the first one."""

    __slots__ = ("jobs", "pipeline_depth", "process", "started")

    def __init__(self, process: RProcess) -> None:
        self.process = process
        self.jobs: deque[_Job] = deque()
        self.pipeline_depth = 1  # how many jobs may be sent
        self.started = 0.0  # when R started the first job, as far as is known


class Dispatcher:
    """Sends calls to the R processes and answers them, in whichever thread can make progress."""

    def __init__(self) -> None:
        """Create it. `start` must be called before the first call."""
        self._lock = threading.Lock()  # for all fields below
        self._queue: deque[_Job] = deque()
        self._channels: dict[int, WorkerChannel] = {}
        self._overflowing: dict[int, WorkerChannel] = {}
        self._is_pipelining = False
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake_fd, select.EPOLLIN)

    def start(self, encode: Callable[[Arguments], bytes], scheduler: CallScheduler) -> None:
        """Run all calls of the scheduler. `encode` may raise RequestError."""
        self._encode = encode
        self._scheduler = scheduler
        critical_thread.start("R answers", self._poll_forever)
        scheduler.set_executor(self)

    def add_worker(self, process: RProcess) -> WorkerChannel:
        """Send calls to a process that is ready."""
        channel = WorkerChannel(process)
        with self._lock:
            self._channels[process.answer_fd] = channel
            self._epoll.register(process.answer_fd, select.EPOLLIN)
            self._dispatch()
        return channel

    def remove_worker(self, channel: WorkerChannel) -> None:
        """Fail the call that an ended process was running; queue its other calls again."""
        answered: _Answered = []
        with self._lock:
            self._detach(channel)
            self._read_answers(channel, answered)
            self._reclaim(channel)
            lost, channel.jobs = channel.jobs, deque()
            self._dispatch()
        for job, answer in answered:
            self._finish(job, answer)
        for job in lost:
            message = f"{channel.process.exit_reason()}; a new one is being started"
            self._fail(job, WorkerEndedError(message))

    def submit(self, call: Call) -> None:
        """Send the call or queue it."""
        try:
            job = self._create_job(call)
        except Exception as error:  # noqa: BLE001 - RequestError, or an error of the harness
            self._scheduler.fail(call, error)
            return
        if job is not None:
            self._enqueue(job)

    def cancel(self, call: Call) -> None:
        """Kill the process that runs the call, or remove the call from the pipe."""
        answered: _Answered = []
        with self._lock:
            for channel in self._channels.values():
                if any(job.call is call for job in channel.jobs):
                    self._read_answers(channel, answered)
                    self._reclaim(channel)
                    # What is left is the job that R has read.
                    if channel.jobs and channel.jobs[0].call is call:
                        channel.process.kill("its call took too long")
                        self._detach(channel)
                    self._dispatch()
                    break
        for job, answer in answered:
            self._finish(job, answer)

    def _create_job(self, call: Call) -> _Job | None:
        arguments = call.arguments
        if arguments is None:  # timed out already
            self._scheduler.discard(call)
            return None
        if not isinstance(arguments, Rows):
            return _Job(call, self._encode(arguments), None)
        rows = arguments.calls
        first = next(rows, None)
        if first is None:
            self._scheduler.complete(call, [], 0.0)
            return None
        return _Job(call, self._encode(first), rows)

    def _enqueue(self, job: _Job) -> None:
        with self._lock:
            self._queue.append(job)
            self._dispatch()

    def _dispatch(self) -> None:
        """Send queued jobs in order, each to the process with the fewest jobs."""
        queue = self._queue
        while queue:
            job, target, fewest = queue[0], None, MAX_PIPELINE_DEPTH
            if job.call.arguments is None:  # timed out in the queue
                self._scheduler.discard(queue.popleft().call)
                continue
            for channel in self._channels.values():
                count = len(channel.jobs)
                if count < fewest and count < channel.pipeline_depth and _can_follow(channel, job):
                    target, fewest = channel, count
            if target is None:
                return
            self._send(target, queue.popleft())

    def _send(self, channel: WorkerChannel, job: _Job) -> None:
        jobs = channel.jobs
        jobs.append(job)
        if len(jobs) == 1:
            job.call.running_since = channel.started = time.perf_counter()
        elif not self._is_pipelining:
            self._is_pipelining = True
            os.eventfd_write(self._wake_fd, 1)
        if not channel.process.send(job.request):
            self._overflowing[channel.process.overflow_fd] = channel
            self._epoll.register(channel.process.overflow_fd, select.EPOLLOUT)

    def _poll_forever(self) -> None:
        while True:
            answered: _Answered = []
            events = self._epoll.poll(PIPELINE_SECONDS if self._is_pipelining else None)
            with self._lock:
                for descriptor, _ in events:
                    if channel := self._channels.get(descriptor):
                        self._read_answers(channel, answered)
                    elif channel := self._overflowing.get(descriptor):
                        self._send_overflow(channel)
                    elif descriptor == self._wake_fd:
                        os.eventfd_read(self._wake_fd)
                if self._is_pipelining:
                    self._reclaim_stalled(time.perf_counter())
                self._dispatch()
            for job, answer in answered:
                self._finish(job, answer)

    def _read_answers(self, channel: WorkerChannel, answered: _Answered) -> None:
        try:
            answers = channel.process.answers()
        except ProcessEndedError:
            if self._detach(channel):
                self._reclaim(channel)
                # In most cases it is ending; one that keeps running is of no use.
                kill = threading.Timer(
                    CLOSED_PIPE_SECONDS, channel.process.kill, ["it closed its pipe"]
                )
                kill.start()
            return
        jobs = channel.jobs
        for answer in answers:
            answered.append((jobs.popleft(), answer))
            depth = int(PIPELINE_SECONDS / max(answer.seconds, 1e-6))
            limit = min(depth, MAX_PIPELINE_DEPTH, channel.process.capacity)
            channel.pipeline_depth = max(1, limit)
        if answers and jobs:
            jobs[0].call.running_since = channel.started = time.perf_counter()

    def _detach(self, channel: WorkerChannel) -> bool:
        """Stop sending to a process and polling it; return False if that was done before."""
        if self._overflowing.pop(channel.process.overflow_fd, None):
            self._epoll.unregister(channel.process.overflow_fd)
        if not self._channels.pop(channel.process.answer_fd, None):
            return False
        self._epoll.unregister(channel.process.answer_fd)
        return True

    def _send_overflow(self, channel: WorkerChannel) -> None:
        if channel.process.send_overflow():
            del self._overflowing[channel.process.overflow_fd]
            self._epoll.unregister(channel.process.overflow_fd)

    def _reclaim_stalled(self, now: float) -> None:
        """Reclaim the jobs that a slow call delays."""
        latest = now - PIPELINE_SECONDS
        self._is_pipelining = False
        for channel in self._channels.values():
            if len(channel.jobs) > 1:
                if channel.started < latest:
                    channel.pipeline_depth = 1
                    self._reclaim(channel)
                else:
                    self._is_pipelining = True

    def _reclaim(self, channel: WorkerChannel) -> None:
        """Queue the unread jobs again."""
        for _ in range(channel.process.reclaim()):
            self._queue.appendleft(channel.jobs.pop())

    def _finish(self, job: _Job, answer: Answer) -> None:
        call = job.call
        if call.arguments is None:  # timed out
            self._scheduler.discard(call)
            return
        try:
            value = deserialize(answer.data)
            if answer.kind != RESULT:
                condition = cast("dict[str, str]", value)
                raise condition_error(  # noqa: TRY301 - handled like an error of deserialize
                    condition["class"], condition["message"], condition["trace"]
                )
            job.seconds += max(answer.seconds, 0.0)
            if job.rows is not None:
                job.results.append(value)
                if (row := next(job.rows, None)) is not None:
                    job.request = self._encode(row)
                    self._enqueue(job)
                    return
                value = job.results
        except Exception as error:  # noqa: BLE001 - a result without JSON, or an error of the user
            self._scheduler.fail(call, error)
        else:
            self._scheduler.complete(call, value, job.seconds)

    def _fail(self, job: _Job, error: Exception) -> None:
        if job.call.arguments is None:
            self._scheduler.discard(job.call)
        else:
            self._scheduler.fail(job.call, error)


def _can_follow(channel: WorkerChannel, job: _Job) -> bool:
    """Return whether a job may be sent now: a long request is never pipelined."""
    jobs = channel.jobs
    return not jobs or not (is_long(job.request) or is_long(jobs[-1].request))
