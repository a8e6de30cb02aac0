"""Dispatching of calls, with fake processes that record requests."""

import os
import time

import pytest
from model_harness.binding.table_binding import Arguments, Rows
from model_harness.errors import RequestError
from model_harness.http.response import Responder, ResponseContext
from model_harness.observability.metrics import RequestCounters
from model_harness.protocols.domino import Domino
from model_harness.runtime.scheduler import CallScheduler
from model_harness.settings import Settings
from model_harness_r.pool.dispatcher import (
    MAX_PIPELINE_DEPTH,
    PIPELINE_SECONDS,
    Dispatcher,
    WorkerChannel,
)
from model_harness_r.pool.process import PACKET_BYTES, RESULT, Answer
from model_harness_r.serialization.serialize import serialize

DOMINO = Domino(Settings("mpg", "v1", "predict:predict"))
CONTEXT = ResponseContext("v1", RequestCounters())
LONG = b"l" * (PACKET_BYTES + 1)


class FakeProcess:
    """Reads and answers a request when the test calls for it."""

    def __init__(self) -> None:
        self.answer_fd, self._write_fd = os.pipe()
        self.overflow_fd = -1
        self.capacity = 16
        self.sent: list[bytes] = []
        self.kill_reason = ""
        self._read = 0
        self._answers: list[Answer] = []

    def send(self, request: bytes) -> bool:
        self.sent.append(request)
        return True

    def read_next(self) -> None:
        self._read += 1

    def answer(self, seconds: float = 0.0) -> None:
        """Answer the last request that was read."""
        self._answers.append(Answer(RESULT, serialize(("x",), [self._read]), seconds))

    def reclaim(self) -> int:
        count = len(self.sent) - self._read
        del self.sent[self._read :]
        return count

    def answers(self) -> list[Answer]:
        answers, self._answers = self._answers, []
        return answers

    def kill(self, reason: str) -> None:
        self.kill_reason = reason

    def exit_reason(self) -> str:
        return "it ended"


class Client:
    """Keeps the first response."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if not self.status:
            self.status, self.body = status, body


class Harness:
    """A dispatcher without its thread: the test runs each step."""

    def __init__(self, count: int) -> None:
        self.scheduler = CallScheduler(100, 10, 0)
        self.dispatcher = Dispatcher()
        self.dispatcher._scheduler = self.scheduler
        self.dispatcher._encode = lambda arguments: bytes(str(arguments[0][0]), "ascii")
        self.scheduler.set_executor(self.dispatcher)
        self.processes = [FakeProcess() for _ in range(count)]
        self.channels: list[WorkerChannel] = [
            self.dispatcher.add_worker(process)  # type: ignore[arg-type]
            for process in self.processes
        ]

    def submit(self, arguments: Arguments | Rows | str) -> Client:
        client = Client()
        if isinstance(arguments, str):
            arguments = ([arguments], {})
        responder = Responder(client, "ABCDEFGHIJ012345", CONTEXT, DOMINO)
        self.scheduler.submit(responder, DOMINO, arguments, time.perf_counter())
        return client

    def poll(self, number: int = 0) -> None:
        """Do what the thread does for an answer."""
        dispatcher, answered = self.dispatcher, []
        with dispatcher._lock:
            dispatcher._read_answers(self.channels[number], answered)
            dispatcher._dispatch()
        for job, answer in answered:
            dispatcher._finish(job, answer)

    def make_fast(self) -> None:
        """Let each process answer a call without delay."""
        for _ in self.processes:
            self.submit("fast")
        for number, process in enumerate(self.processes):
            process.read_next()
            process.answer()
            self.poll(number)
            process.sent.clear()
            process._read = 0


@pytest.fixture
def one_process() -> Harness:
    return Harness(1)


@pytest.fixture
def two_processes() -> Harness:
    return Harness(2)


def sent(harness: Harness) -> list[list[str]]:
    return [[request.decode()[:5] for request in process.sent] for process in harness.processes]


def test_new_process_receives_one_call(two_processes: Harness) -> None:
    for name in "abc":
        two_processes.submit(name)
    assert sent(two_processes) == [["a"], ["b"]]


def test_fast_calls_are_pipelined_to_process_with_fewest_jobs(two_processes: Harness) -> None:
    two_processes.make_fast()
    for number in range(2 * MAX_PIPELINE_DEPTH + 3):
        two_processes.submit(str(number))
    assert [len(names) for names in sent(two_processes)] == [MAX_PIPELINE_DEPTH, MAX_PIPELINE_DEPTH]
    assert sent(two_processes)[0][:3] == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("seconds", "depth"), [(0.0, 8), (0.001, 5), (0.0026, 1), (0.5, 1), (-3.0, 8)]
)
def test_pipeline_depth_depends_on_duration(
    one_process: Harness, seconds: float, depth: int
) -> None:
    one_process.submit("first")
    one_process.processes[0].read_next()
    one_process.processes[0].answer(seconds)
    one_process.poll()
    for number in range(10):
        one_process.submit(str(number))
    assert len(sent(one_process)[0]) == 1 + depth


def test_pipeline_depth_is_limited_by_capacity(one_process: Harness) -> None:
    one_process.processes[0].capacity = 2
    one_process.make_fast()
    for name in "abcd":
        one_process.submit(name)
    assert sent(one_process) == [["a", "b"]]


def test_jobs_behind_slow_call_move_to_other_process_in_order(two_processes: Harness) -> None:
    two_processes.make_fast()
    for name in "abcdef":
        two_processes.submit(name)
    assert sent(two_processes) == [["a", "c", "e"], ["b", "d", "f"]]
    for process in two_processes.processes:
        process.read_next()
    now = time.perf_counter()
    two_processes.channels[1].started = now + 1  # only the first process is slow
    with two_processes.dispatcher._lock:
        two_processes.dispatcher._reclaim_stalled(now + 2 * PIPELINE_SECONDS)
        two_processes.dispatcher._dispatch()
    assert sent(two_processes) == [["a"], ["b", "d", "f", "c", "e"]]


def test_long_request_is_not_pipelined_or_overtaken(one_process: Harness) -> None:
    one_process.make_fast()
    names = ["a", "b", LONG.decode(), "c", "d"]
    clients = [one_process.submit(name) for name in names]
    steps = []
    for _ in names:
        steps.append(sent(one_process)[0])
        one_process.processes[0].read_next()
        one_process.processes[0].answer()
        one_process.poll()
    first = ["a", "b"]
    assert steps == [first, first, [*first, "lllll"], [*first, "lllll", "c", "d"], steps[3]]
    assert {client.status for client in clients} == {200}


def test_ended_process_fails_only_call_that_it_read(two_processes: Harness) -> None:
    two_processes.make_fast()
    clients = {name: two_processes.submit(name) for name in "abcdef"}
    first, second = two_processes.processes
    first.read_next()
    first.answer()
    first.read_next()
    two_processes.dispatcher.remove_worker(two_processes.channels[0])
    assert sent(two_processes)[1] == ["b", "d", "f", "e"]
    for _ in second.sent:
        second.read_next()
        second.answer()
    two_processes.poll(1)
    statuses = {name: client.status for name, client in clients.items()}
    assert statuses == {"a": 200, "b": 200, "c": 500, "d": 200, "e": 200, "f": 200}
    assert b"WorkerEndedError: it ended; a new one is being started" in clients["c"].body


def expire(harness: Harness, client: Client) -> None:
    """Time out a call."""
    for call in harness.scheduler._open:
        call.deadline = 0.0 if call.responder._transport is client else time.perf_counter() + 10
    harness.scheduler.expire(time.perf_counter())
    assert client.status == 504


def test_timed_out_running_call_kills_process(one_process: Harness) -> None:
    one_process.make_fast()
    hangs, queued = one_process.submit("hangs"), one_process.submit("other")
    one_process.processes[0].read_next()
    expire(one_process, hangs)
    assert one_process.processes[0].kill_reason == "its call took too long"
    one_process.submit("later")
    assert sent(one_process) == [["hangs"]], "a killed process receives no calls"
    one_process.dispatcher.remove_worker(one_process.channels[0])
    assert queued.status == 0
    assert len(one_process.dispatcher._queue) == 2
    assert not one_process.scheduler._timed_out


def test_timed_out_unread_call_kills_no_process(one_process: Harness) -> None:
    one_process.make_fast()
    runs, waits = one_process.submit("runs"), one_process.submit("waits")
    one_process.processes[0].read_next()
    expire(one_process, waits)
    assert sent(one_process) == [["runs"]]
    one_process.processes[0].answer()
    one_process.poll()
    assert (runs.status, one_process.processes[0].kill_reason) == (200, "")
    assert not one_process.scheduler._timed_out


def test_timed_out_answered_call_kills_no_process(one_process: Harness) -> None:
    one_process.make_fast()
    late, innocent = one_process.submit("late"), one_process.submit("innocent")
    one_process.processes[0].read_next()
    one_process.processes[0].answer()
    one_process.processes[0].read_next()  # the answer to the first call was not read yet
    expire(one_process, late)
    one_process.processes[0].answer()
    one_process.poll()
    assert (innocent.status, one_process.processes[0].kill_reason) == (200, "")
    assert not one_process.scheduler._timed_out


def test_rows_are_sent_one_by_one_until_timeout(one_process: Harness) -> None:
    client = one_process.submit(Rows(3, lambda number: ([f"row {number}"], {})))
    assert sent(one_process) == [["row 0"]]
    for _ in range(2):
        one_process.processes[0].read_next()
        one_process.processes[0].answer(0.25)
        one_process.poll()
    assert sent(one_process) == [["row 0", "row 1", "row 2"]]
    expire(one_process, client)
    assert sent(one_process) == [["row 0", "row 1"]], "the last row was not read"
    assert not one_process.dispatcher._queue
    assert not one_process.scheduler._timed_out


def test_no_rows_return_empty_result(one_process: Harness) -> None:
    assert one_process.submit(Rows(0, lambda number: ([number], {}))).status == 200
    assert sent(one_process) == [[]]


def test_request_error_of_encode_is_answered(one_process: Harness) -> None:
    def refuse(_: Arguments) -> bytes:
        raise RequestError(400, "unsupported")

    one_process.dispatcher._encode = refuse
    assert one_process.submit("x").status == 400
    assert not one_process.scheduler.is_full()
    assert one_process.scheduler.in_flight() == 0
