"""The scheduler, the event loop and the watchdog, without a server."""

import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from model_harness.binding.table_binding import Invocation, Rows
from model_harness.errors import RequestError
from model_harness.http.request_body import BodyReader
from model_harness.http.response import Responder, ResponseContext
from model_harness.observability.metrics import RequestCounters
from model_harness.observability.termination_message import TerminationMessage
from model_harness.observability.worker_stats import WorkerTable
from model_harness.protocols.domino import Domino
from model_harness.runtime import watchdog as watchdog_module
from model_harness.runtime.event_loop import EventLoop
from model_harness.runtime.scheduler import MAX_PARK_SECONDS, PARK_SECONDS, CallScheduler
from model_harness.runtime.watchdog import STUCK_EXIT_STATUS, STUCK_SECONDS, Watchdog
from model_harness.settings import Settings

TIMEOUT_SECONDS = 10
DOMINO = Domino(Settings("iris", "v1", "predict:predict"))
CONTEXT = ResponseContext("v1", RequestCounters())


class Client:
    """Keeps the status of the first response, as Granian does."""

    def __init__(self) -> None:
        self.status = 0

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = self.status or status


def scheduler_of(function: Callable[..., object], in_flight: int = 1) -> CallScheduler:
    scheduler = CallScheduler(in_flight, TIMEOUT_SECONDS)
    scheduler.set_function(function)
    return scheduler


def submit(scheduler: CallScheduler, *values: object) -> Client:
    return submit_invocation(scheduler, (list(values), {}))


def submit_invocation(scheduler: CallScheduler, invocation: Invocation) -> Client:
    client = Client()
    responder = Responder(client, "ABCDEFGHIJ012345", CONTEXT, DOMINO)
    scheduler.submit(responder, DOMINO, invocation, time.perf_counter())
    return client


def after(seconds: float) -> float:
    return time.perf_counter() + seconds


def test_scheduler_idle_runs_call_immediately() -> None:
    scheduler = scheduler_of(lambda: 0)
    assert [submit(scheduler).status for _ in range(3)] == [200, 200, 200]


def test_running_seconds_of_starting_call_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = scheduler_of(lambda: 0)
    clock, durations = time.perf_counter, []

    def observed_clock() -> float:
        now = clock()
        # The watchdog may read it between any two steps.
        durations.append(scheduler.longest_running_seconds(now))
        return now

    monkeypatch.setattr(time, "perf_counter", observed_clock)
    assert submit(scheduler).status == 200
    assert durations
    assert max(durations) < 1


def test_threads_that_take_turns_park_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = scheduler_of(lambda: 0)
    submit(scheduler)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    submit(scheduler)
    assert pauses == []
    second = threading.Thread(target=lambda: submit(scheduler))
    second.start()
    second.join()
    assert pauses == [PARK_SECONDS]


def test_parked_thread_doubles_pause_while_queue_progresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheduler = scheduler_of(lambda: 0, in_flight=2)
    submit(scheduler)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) < 5:
            submit(scheduler)

    monkeypatch.setattr(time, "sleep", sleep)
    second = threading.Thread(target=lambda: submit(scheduler))
    second.start()
    second.join()
    assert pauses[:3] == [PARK_SECONDS, 2 * PARK_SECONDS, MAX_PARK_SECONDS]
    assert pauses[3:] == [MAX_PARK_SECONDS] * 2


def test_queued_call_is_run_by_thread_that_runs_queue() -> None:
    entered, resume = threading.Event(), threading.Event()

    def function(number: int) -> int:
        entered.set()
        resume.wait(10)
        return number

    scheduler = scheduler_of(function, in_flight=2)
    clients: list[Client] = []
    runner = threading.Thread(target=lambda: clients.append(submit(scheduler, 1)))
    runner.start()
    assert entered.wait(10)
    queued = submit(scheduler, 2)
    assert queued.status == 0
    with pytest.raises(RequestError) as caught:
        submit(scheduler, 3)
    assert caught.value.status == 429
    resume.set()
    runner.join(10)
    assert [clients[0].status, queued.status] == [200, 200]
    assert not scheduler.is_full()


def test_call_timed_out_in_queue_never_reaches_function() -> None:
    entered, resume, numbers = threading.Event(), threading.Event(), []

    def function(number: int) -> None:
        numbers.append(number)
        entered.set()
        resume.wait(10)

    scheduler = scheduler_of(function, in_flight=8)
    runner = threading.Thread(target=submit, args=[scheduler, 1])
    runner.start()
    assert entered.wait(10)
    queued = submit(scheduler, 2)
    scheduler.expire(after(TIMEOUT_SECONDS - 1))
    assert queued.status == 0
    scheduler.expire(after(TIMEOUT_SECONDS + 1))
    assert queued.status == 504
    resume.set()
    runner.join(10)
    assert numbers == [1]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_function_error_of_any_type_is_answered_with_500(error: BaseException) -> None:
    def function() -> None:
        raise error

    scheduler = scheduler_of(function)
    assert submit(scheduler).status == 500
    assert not scheduler.is_full()
    assert scheduler.longest_running_seconds(time.perf_counter()) == 0


def test_function_error_with_broken_str_is_answered_with_500() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def function() -> None:
        raise BrokenError

    assert submit(scheduler_of(function)).status == 500


def test_function_that_raises_request_error_gets_its_status() -> None:
    def function() -> None:
        raise RequestError(400, "unsupported")

    assert submit(scheduler_of(function)).status == 400


def test_rows_run_one_by_one_until_timeout() -> None:
    numbers: list[int] = []

    def function(number: int) -> int:
        numbers.append(number)
        if number == 2:
            scheduler.expire(after(TIMEOUT_SECONDS + 1))
        return -number

    scheduler = scheduler_of(function)

    def submit_rows(count: int) -> Client:
        return submit_invocation(scheduler, Rows(count, lambda number: ([number], {})))

    assert submit_rows(2).status == 200
    assert submit_rows(9).status == 504
    assert numbers == [0, 1, 0, 1, 2]
    assert not scheduler.is_full()


def test_watchdog_exits_process_of_stuck_function(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, resume = threading.Event(), threading.Event()
    scheduler = scheduler_of(lambda: (entered.set(), resume.wait(10)))
    runner = threading.Thread(target=submit, args=[scheduler])
    runner.start()
    assert entered.wait(10)
    statuses: list[int] = []
    monkeypatch.setattr(watchdog_module.os, "_exit", statuses.append)
    watchdog = Watchdog(
        scheduler,
        BodyReader(10),
        WorkerTable(1).slots[0],
        RequestCounters(),
        TIMEOUT_SECONDS,
        TerminationMessage.from_environment({}),
    )
    now = time.perf_counter()
    watchdog.check(now + TIMEOUT_SECONDS + STUCK_SECONDS - 5)
    assert statuses == []
    watchdog.check(now + TIMEOUT_SECONDS + STUCK_SECONDS + 1)
    assert statuses == [STUCK_EXIT_STATUS]
    resume.set()
    runner.join(10)
    assert scheduler.longest_running_seconds(now + 100) == 0


@pytest.mark.parametrize("moment", ["before the task", "while the task is created"])
def test_async_call_timed_out_at_start_never_runs(moment: str) -> None:
    runs: list[int] = []

    async def function() -> None:
        runs.append(1)

    scheduler = CallScheduler(1, TIMEOUT_SECONDS)
    event_loop = EventLoop(function, scheduler, contextvars.copy_context())
    scheduler.set_executor(event_loop)
    loop, resume, ended = event_loop._loop, threading.Event(), threading.Event()

    def expiring_task_factory(
        _loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[object, None, None],
        context: contextvars.Context,
    ) -> "asyncio.Task[None]":
        scheduler.expire(after(TIMEOUT_SECONDS + 1))
        return asyncio.Task(coroutine, loop=loop, context=context)

    if moment == "while the task is created":
        loop.set_task_factory(expiring_task_factory)
    loop.call_soon_threadsafe(resume.wait, 10)
    client = submit(scheduler)
    if moment == "before the task":
        scheduler.expire(after(TIMEOUT_SECONDS + 1))
    resume.set()
    call_soon = loop.call_soon_threadsafe
    call_soon(call_soon, call_soon, ended.set)  # a few iterations of the loop later
    assert ended.wait(10)
    assert client.status == 504
    assert runs == []
    assert scheduler.longest_running_seconds(after(100)) == 0
    assert not scheduler.is_full()


def test_granian_core_is_imported_without_granian_package() -> None:
    program = (
        "import sys, model_harness.http.server\n"
        "assert 'granian' not in sys.modules and 'asyncio' not in sys.modules\n"
        "from granian import Granian\n"
        "from granian._granian import RSGIWorker\n"
        "assert RSGIWorker is model_harness.http.server.RSGIWorker"
    )
    environment = {"PYTHONPATH": str(Path(watchdog_module.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
