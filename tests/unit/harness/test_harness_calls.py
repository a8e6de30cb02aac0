"""The line of calls, time-outs, ids, health and bodies, without a server."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest
from model_harness import health as health_module
from model_harness import watchdog as watchdog_module
from model_harness.bodies import ARRIVE_SECONDS, Bodies, BodySource
from model_harness.calls import LONGEST_REST_SECONDS, REST_SECONDS, Calls
from model_harness.domino import Domino
from model_harness.errors import RefusedError
from model_harness.event_loop import EventLoop
from model_harness.exchange import Exchange
from model_harness.health import SILENT_SECONDS, Health
from model_harness.identity import PATTERN, RequestIds
from model_harness.rows import Rows
from model_harness.settings import Settings
from model_harness.shared import Board
from model_harness.watchdog import STUCK_EXIT_STATUS, STUCK_SECONDS, Watchdog

SETTINGS = Settings("iris", "v1", "predict:predict", timeout_seconds=10)
DOMINO = Domino(SETTINGS)


class Recorder:
    """Takes the first answer, as Granian does."""

    def __init__(self) -> None:
        self.status = 0

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = self.status or status


def admit(calls: Calls, *values: object) -> Recorder:
    recorder = Recorder()
    exchange = Exchange(recorder, "ABCDEFGHIJ012345", "v1", DOMINO)
    calls.admit(exchange, DOMINO, (list(values), {}))
    return recorder


def test_a_free_function_is_called_at_once() -> None:
    calls = Calls(1, 10)
    calls.use(lambda: 0)
    assert [admit(calls).status for _ in range(3)] == [200, 200, 200]


def test_a_call_that_just_begins_has_not_been_running_since_the_machine_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = Calls(1, 10)
    calls.use(lambda: 0)
    clock, seen = time.perf_counter, []

    def looked_at() -> float:
        now = clock()
        seen.append(calls.running_seconds(now))  # as the watchdog may, between any two steps
        return now

    monkeypatch.setattr(time, "perf_counter", looked_at)
    assert admit(calls).status == 200
    assert seen
    assert max(seen) < 1


def test_of_two_threads_that_take_turns_one_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(1, 10)
    calls.use(lambda: 0)
    admit(calls)
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    admit(calls)
    assert naps == []
    other = threading.Thread(target=lambda: admit(calls))
    other.start()
    other.join()
    assert naps == [REST_SECONDS]


def test_who_rests_rests_longer_while_the_leader_gets_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = Calls(2, 10)
    calls.use(lambda: 0)
    admit(calls)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) < 5:
            admit(calls)

    monkeypatch.setattr(time, "sleep", nap)
    other = threading.Thread(target=lambda: admit(calls))
    other.start()
    other.join()
    assert naps[:3] == [REST_SECONDS, 2 * REST_SECONDS, LONGEST_REST_SECONDS]
    assert naps[3:] == [LONGEST_REST_SECONDS] * 2


def test_a_call_that_waits_is_run_by_whoever_leads() -> None:
    calls = Calls(2, 10)
    entered, go = threading.Event(), threading.Event()

    def function(number: int) -> int:
        entered.set()
        go.wait(10)
        return number

    calls.use(function)
    answers: list[Recorder] = []
    leader = threading.Thread(target=lambda: answers.append(admit(calls, 1)))
    leader.start()
    assert entered.wait(10)
    second = admit(calls, 2)
    assert second.status == 0
    with pytest.raises(RefusedError) as caught:
        admit(calls, 3)
    assert caught.value.status == 429
    go.set()
    leader.join(10)
    assert [answers[0].status, second.status] == [200, 200]
    assert not calls.full()


def test_a_call_that_is_overdue_in_line_never_reaches_the_function() -> None:
    calls = Calls(8, 10)
    entered, go, seen = threading.Event(), threading.Event(), []

    def function(number: int) -> None:
        seen.append(number)
        entered.set()
        go.wait(10)

    calls.use(function)
    leader = threading.Thread(target=admit, args=[calls, 1])
    leader.start()
    assert entered.wait(10)
    second = admit(calls, 2)
    calls.expire(time.perf_counter() + 9)
    assert second.status == 0
    calls.expire(time.perf_counter() + 11)
    assert second.status == 504
    go.set()
    leader.join(10)
    assert seen == [1]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_whatever_the_function_raises_is_its_own_500(error: BaseException) -> None:
    def function() -> None:
        raise error

    calls = Calls(1, 10)
    calls.use(function)
    assert admit(calls).status == 500
    assert not calls.full()
    assert calls.running_seconds(time.perf_counter()) == 0


def test_an_exception_that_cannot_be_shown_is_still_answered() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def function() -> None:
        raise BrokenError

    calls = Calls(1, 10)
    calls.use(function)
    assert admit(calls).status == 500


def test_a_function_that_never_returns_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(1, 10)
    entered, go = threading.Event(), threading.Event()
    calls.use(lambda: (entered.set(), go.wait(10)))
    leader = threading.Thread(target=admit, args=[calls])
    leader.start()
    assert entered.wait(10)
    ended: list[int] = []
    monkeypatch.setattr(watchdog_module.os, "_exit", ended.append)
    watchdog = Watchdog(calls, Bodies(10), 10, Board(1).rows[0])
    now = time.perf_counter()
    watchdog.look(now + 10 + STUCK_SECONDS - 5)
    assert ended == []
    watchdog.look(now + 10 + STUCK_SECONDS + 1)
    assert ended == [STUCK_EXIT_STATUS]
    go.set()
    leader.join(10)
    assert calls.running_seconds(now + 100) == 0  # it came back, late


@pytest.mark.parametrize("moment", ["before it begins", "while it begins"])
def test_an_async_call_that_is_overdue_at_once_never_runs(moment: str) -> None:
    seen: list[int] = []

    async def function() -> None:
        seen.append(1)

    calls = Calls(1, 10)
    runner = EventLoop(function, calls)
    calls.hand_to(runner)
    loop, go, ended = runner._loop, threading.Event(), threading.Event()

    def overdue_meanwhile(
        _loop: asyncio.AbstractEventLoop, coroutine: Coroutine[object, None, None]
    ) -> "asyncio.Task[None]":
        calls.expire(time.perf_counter() + 11)
        return asyncio.Task(coroutine, loop=loop)

    if moment == "while it begins":
        loop.set_task_factory(overdue_meanwhile)
    loop.call_soon_threadsafe(go.wait, 10)
    recorder = admit(calls)
    if moment == "before it begins":
        calls.expire(time.perf_counter() + 11)
    go.set()
    later = loop.call_soon_threadsafe
    later(later, later, ended.set)  # a few turns of the loop later
    assert ended.wait(10)
    assert recorder.status == 504
    assert seen == []
    assert calls.running_seconds(time.perf_counter() + 100) == 0
    assert not calls.full()


async def read(
    bodies: Bodies, source: BodySource, declared: str | None, exchange: Exchange
) -> bytes:
    """As the front does."""
    try:
        return await bodies.read(source, declared, exchange)
    finally:
        bodies.arrived(exchange)


class Silent:
    """A body that never comes."""

    def __call__(self):
        return self

    def __await__(self):
        yield self


def test_a_body_that_does_not_come_is_given_up() -> None:
    bodies, recorder = Bodies(1000), Recorder()
    exchange = Exchange(recorder, "ABCDEFGHIJ012345", "v1", DOMINO)
    reading = read(bodies, Silent(), "100", exchange)
    reading.send(None)
    bodies.expire(time.perf_counter() + ARRIVE_SECONDS - 5)
    assert recorder.status == 0
    bodies.expire(time.perf_counter() + ARRIVE_SECONDS + 1)
    assert recorder.status == 400
    reading.close()


class Pieces:
    """A body in pieces; it waits between two of them."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self):
        return self

    async def __anext__(self) -> bytes:
        await Silent()
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


def test_all_bodies_together_are_bounded() -> None:
    bodies = Bodies(100)
    readings = []
    for _ in range(8):
        exchange = Exchange(Recorder(), "ABCDEFGHIJ012345", "v1", DOMINO)
        reading = read(bodies, Pieces(b"x" * 100, b""), None, exchange)
        reading.send(None)
        reading.send(None)
        readings.append(reading)
    exchange = Exchange(Recorder(), "ABCDEFGHIJ012345", "v1", DOMINO)
    late = read(bodies, Pieces(b"x", b""), None, exchange)
    late.send(None)
    with pytest.raises(RefusedError) as caught:
        late.send(None)
    assert caught.value.status == 429
    for reading in readings:
        reading.close()
    again = read(bodies, Pieces(b"x" * 100, b""), None, exchange)
    again.send(None)
    again.send(None)
    again.send(None)
    with pytest.raises(StopIteration) as done:
        again.send(None)
    assert done.value.value == b"x" * 100


def test_ids_have_the_contracts_form_and_do_not_repeat() -> None:
    ids = [RequestIds() for _ in range(3)]
    made = [one.new() for one in ids for _ in range(5000)]
    assert len(set(made)) == len(made)
    assert all(PATTERN.fullmatch(one) for one in made)


@pytest.mark.parametrize(
    "given", [None, "", "short", "a" * 16, "A" * 17, "A" * 15 + "\n", "Ä" * 16]
)
def test_only_a_request_id_is_kept(given: str | None) -> None:
    ids = RequestIds()
    assert ids.of("ABCDEFGHIJ012345") == "ABCDEFGHIJ012345"
    made = ids.of(given)
    assert made != given
    assert PATTERN.fullmatch(made)


def test_health_counts_silence_only_once_the_function_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(health_module.time, "monotonic", lambda: clock[0])
    board = Board(1)
    health = Health(SETTINGS, board)
    clock[0] += 10_000
    assert health.live() is None
    assert health.ready() == "the function is not loaded yet"
    board.rows[0].ready, board.rows[0].heartbeat = True, 2e6
    health.loaded()
    assert health.ready() == "the front has not answered yet"
    clock[0] += SETTINGS.timeout_seconds + SILENT_SECONDS - 1
    assert health.live() is None
    clock[0] += 2
    assert health.live() == "the front has not answered for 71 s"
    health.draining()
    assert health.ready() == "stopping"


def test_a_worker_without_a_sign_of_life_counts_as_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(health_module.time, "monotonic", lambda: clock[0])
    board = Board(2)
    health = Health(SETTINGS, board)
    for row in board.rows:
        row.ready, row.heartbeat = True, clock[0]
    clock[0] += SETTINGS.timeout_seconds + SILENT_SECONDS + 1
    health.loaded()
    board.rows[0].heartbeat = clock[0]
    assert health.live() == "worker 1 has given no sign of life for 71 s"
    board.rows[1].clear()  # dead and known to be: another one takes its place
    assert health.live() is None
    board.rows[0].clear()
    assert health.ready() == "no worker is left"


def test_rows_are_called_one_by_one_until_the_time_is_over() -> None:
    seen: list[int] = []

    def function(number: int) -> int:
        seen.append(number)
        if number == 2:
            calls.expire(time.perf_counter() + 11)
        return -number

    calls = Calls(1, 10)
    calls.use(function)

    def admit_rows(count: int) -> Recorder:
        recorder = Recorder()
        exchange = Exchange(recorder, "ABCDEFGHIJ012345", "v1", DOMINO)
        calls.admit(exchange, DOMINO, Rows(count, lambda number: ([number], {})))
        return recorder

    assert admit_rows(2).status == 200
    assert admit_rows(9).status == 504
    assert seen == [0, 1, 0, 1, 2]
    assert not calls.full()


def test_a_handlers_own_refusal_is_the_answer() -> None:
    def function() -> None:
        raise RefusedError(400, "not like this")

    calls = Calls(1, 10)
    calls.use(function)
    assert admit(calls).status == 400


def test_the_core_of_granian_is_imported_alone_and_the_rest_on_demand() -> None:
    program = (
        "import sys, model_harness.server\n"
        "assert 'granian' not in sys.modules and 'asyncio' not in sys.modules\n"
        "from granian import Granian\n"
        "from granian._granian import RSGIWorker\n"
        "assert RSGIWorker is model_harness.server.RSGIWorker"
    )
    environment = {"PYTHONPATH": str(Path(watchdog_module.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
