"""Which call goes where, with processes that only remember what they were sent."""

import os
import time

import pytest
from model_harness.calls import Calls
from model_harness.domino import Domino
from model_harness.errors import RefusedError
from model_harness.exchange import Exchange
from model_harness.rows import Arguments, Rows
from model_harness.settings import Settings
from model_harness_r.dispatcher import AHEAD_SECONDS, MOST_AHEAD, Dispatcher, Lane
from model_harness_r.process import PACKET, RESULT, Answer
from model_harness_r.writer import write

DOMINO = Domino(Settings("mpg", "v1", "predict:predict"))
LONG = b"l" * (PACKET + 1)


class Process:
    """R reads a request when the test says so."""

    def __init__(self) -> None:
        self.answers_from, self._hold = os.pipe()
        self.rest_to = -1
        self.room = 16
        self.sent: list[bytes] = []
        self.killed = ""
        self._read = 0
        self._answers: list[Answer] = []

    def send(self, request: bytes) -> bool:
        self.sent.append(request)
        return True

    def reads(self) -> None:
        self._read += 1

    def says(self, seconds: float = 0.0) -> None:
        """The answer to what was read."""
        self._answers.append(Answer(RESULT, write(("x",), [self._read]), seconds))

    def take_back(self) -> int:
        count = len(self.sent) - self._read
        del self.sent[self._read :]
        return count

    def answers(self) -> list[Answer]:
        found, self._answers = self._answers, []
        return found

    def kill(self, why: str) -> None:
        self.killed = why

    def reason(self) -> str:
        return "it ended"


class Client:
    """Takes the first answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if not self.status:
            self.status, self.body = status, body


class Ground:
    """A dispatcher whose own thread is not started: each step is the test's."""

    def __init__(self, count: int) -> None:
        self.calls = Calls(100, 10, 0)
        self.dispatcher = Dispatcher()
        self.dispatcher._calls = self.calls
        self.dispatcher._request_of = lambda arguments: bytes(str(arguments[0][0]), "ascii")
        self.calls.hand_to(self.dispatcher)
        self.processes = [Process() for _ in range(count)]
        self.lanes: list[Lane] = [self.dispatcher.join(one) for one in self.processes]  # type: ignore[arg-type]

    def ask(self, arguments: Arguments | Rows | str) -> Client:
        client = Client()
        if isinstance(arguments, str):
            arguments = ([arguments], {})
        exchange = Exchange(client, "ABCDEFGHIJ012345", "v1", DOMINO)
        self.calls.admit(exchange, DOMINO, arguments)
        return client

    def hear(self, number: int = 0) -> None:
        """What the thread does when an answer is there."""
        dispatcher, done = self.dispatcher, []
        with dispatcher._lock:
            dispatcher._hear(self.lanes[number], done)
            dispatcher._send_on()
        for job, answer in done:
            dispatcher._finish(job, answer)

    def is_quick(self) -> None:
        """Let each process answer one call at once."""
        for _ in self.processes:
            self.ask("quick")
        for number, process in enumerate(self.processes):
            process.reads()
            process.says()
            self.hear(number)
            process.sent.clear()
            process._read = 0


@pytest.fixture
def one() -> Ground:
    return Ground(1)


@pytest.fixture
def two() -> Ground:
    return Ground(2)


def sent(ground: Ground) -> list[list[str]]:
    return [[request.decode()[:5] for request in one.sent] for one in ground.processes]


def test_before_it_is_known_to_be_quick_a_process_gets_one_call(two: Ground) -> None:
    for name in "abc":
        two.ask(name)
    assert sent(two) == [["a"], ["b"]]


def test_quick_calls_go_ahead_to_whoever_has_least_to_do(two: Ground) -> None:
    two.is_quick()
    for number in range(2 * MOST_AHEAD + 3):
        two.ask(str(number))
    assert [len(names) for names in sent(two)] == [MOST_AHEAD, MOST_AHEAD]
    assert sent(two)[0][:3] == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("seconds", "ahead"), [(0.0, 8), (0.001, 5), (0.0026, 1), (0.5, 1), (-3.0, 8)]
)
def test_slower_ones_go_less_far_ahead(one: Ground, seconds: float, ahead: int) -> None:
    one.ask("first")
    one.processes[0].reads()
    one.processes[0].says(seconds)
    one.hear()
    for number in range(10):
        one.ask(str(number))
    assert len(sent(one)[0]) == 1 + ahead


def test_a_small_pipe_holds_less(one: Ground) -> None:
    one.processes[0].room = 2
    one.is_quick()
    for name in "abcd":
        one.ask(name)
    assert sent(one) == [["a", "b"]]


def test_what_a_slow_call_keeps_waiting_goes_elsewhere_in_order(two: Ground) -> None:
    two.is_quick()
    for name in "abcdef":
        two.ask(name)
    assert sent(two) == [["a", "c", "e"], ["b", "d", "f"]]
    for process in two.processes:
        process.reads()
    now = time.perf_counter()
    two.lanes[1].began = now + 1  # so that only the first one is late
    with two.dispatcher._lock:
        two.dispatcher._look(now + 2 * AHEAD_SECONDS)
        two.dispatcher._send_on()
    assert sent(two) == [["a"], ["b", "d", "f", "c", "e"]]


def test_a_long_request_goes_alone_and_is_not_overtaken(one: Ground) -> None:
    one.is_quick()
    names = ["a", "b", LONG.decode(), "c", "d"]
    clients = [one.ask(name) for name in names]
    seen = []
    for _ in names:
        seen.append(sent(one)[0])
        one.processes[0].reads()
        one.processes[0].says()
        one.hear()
    first = ["a", "b"]
    assert seen == [first, first, [*first, "lllll"], [*first, "lllll", "c", "d"], seen[3]]
    assert {client.status for client in clients} == {200}


def test_of_an_ended_process_only_the_call_that_it_had_read_fails(two: Ground) -> None:
    two.is_quick()
    clients = {name: two.ask(name) for name in "abcdef"}
    first, second = two.processes
    first.reads()
    first.says()
    first.reads()
    two.dispatcher.leave(two.lanes[0])
    assert sent(two)[1] == ["b", "d", "f", "e"]
    for _ in second.sent:
        second.reads()
        second.says()
    two.hear(1)
    statuses = {name: client.status for name, client in clients.items()}
    assert statuses == {"a": 200, "b": 200, "c": 500, "d": 200, "e": 200, "f": 200}
    assert b"WorkerEndedError: it ended; a new one is being started" in clients["c"].body


def expire(ground: Ground, client: Client) -> None:
    """End the time of one call."""
    for call in ground.calls._open:
        call.deadline = 0.0 if call.exchange._transport is client else time.perf_counter() + 10
    ground.calls.expire(time.perf_counter())
    assert client.status == 504


def test_a_call_past_its_time_ends_the_process_that_is_in_it(one: Ground) -> None:
    one.is_quick()
    hangs, other = one.ask("hangs"), one.ask("other")
    one.processes[0].reads()
    expire(one, hangs)
    assert one.processes[0].killed == "its call took too long"
    one.ask("later")
    assert sent(one) == [["hangs"]], "nothing more goes to one that was killed"
    one.dispatcher.leave(one.lanes[0])
    assert other.status == 0
    assert len(one.dispatcher._waiting) == 2
    assert not one.calls._overdue


def test_a_call_past_its_time_that_was_not_read_ends_nobody(one: Ground) -> None:
    one.is_quick()
    runs, waits = one.ask("runs"), one.ask("waits")
    one.processes[0].reads()
    expire(one, waits)
    assert sent(one) == [["runs"]]
    one.processes[0].says()
    one.hear()
    assert (runs.status, one.processes[0].killed) == (200, "")
    assert not one.calls._overdue


def test_a_call_past_its_time_that_was_answered_ends_nobody(one: Ground) -> None:
    one.is_quick()
    late, innocent = one.ask("late"), one.ask("innocent")
    one.processes[0].reads()
    one.processes[0].says()
    one.processes[0].reads()  # nobody has heard yet that the first one is done
    expire(one, late)
    one.processes[0].says()
    one.hear()
    assert (innocent.status, one.processes[0].killed) == (200, "")
    assert not one.calls._overdue


def test_rows_go_one_after_the_other_until_the_time_is_over(one: Ground) -> None:
    client = one.ask(Rows(3, lambda number: ([f"row {number}"], {})))
    assert sent(one) == [["row 0"]]
    for _ in range(2):
        one.processes[0].reads()
        one.processes[0].says(0.25)
        one.hear()
    assert sent(one) == [["row 0", "row 1", "row 2"]]
    expire(one, client)
    assert sent(one) == [["row 0", "row 1"]], "the last one was not read"
    assert not one.dispatcher._waiting
    assert not one.calls._overdue


def test_no_rows_are_an_empty_answer(one: Ground) -> None:
    assert one.ask(Rows(0, lambda number: ([number], {}))).status == 200
    assert sent(one) == [[]]


def test_what_r_cannot_hold_is_refused(one: Ground) -> None:
    def refuse(_: Arguments) -> bytes:
        raise RefusedError(400, "not like this")

    one.dispatcher._request_of = refuse
    assert one.ask("x").status == 400
    assert not one.calls.full()
    assert one.calls.in_flight() == 0
