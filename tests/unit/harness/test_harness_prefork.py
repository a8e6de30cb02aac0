"""When the worker manager replaces a worker, and when it ends the container."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from model_harness.observability.termination_message import TerminationMessage
from model_harness.observability.worker_stats import WorkerTable
from model_harness.runtime import prefork
from model_harness.runtime.prefork import MAX_DEATHS, WorkerManager
from model_harness.runtime.processes import ProcessContext, describe_exit, shell_status
from model_harness.settings import Settings

from tests.support.time_limits import at_most

SETTINGS = Settings("iris", "v1", "predict:predict", timeout_seconds=0.1)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefork, "BACK_OFF_SECONDS", 0.001)
    monkeypatch.setattr(prefork, "KILL_MARGIN_SECONDS", 0.2)


def manager(
    table: WorkerTable, parent_pipe: int, run_worker: Callable[[int], int]
) -> WorkerManager:
    termination = TerminationMessage.from_environment({})
    context = ProcessContext(SETTINGS, termination, table, parent_pipe)
    return WorkerManager(context, run_worker)


def start_manager(table: WorkerTable, run_worker: Callable[[int], int]) -> int:
    """Return the process of a manager, which changes the signal mask of its process."""
    parent_pipe, _parent_end = os.pipe()
    process = os.fork()
    if process == 0:
        status = 99
        try:
            status = manager(table, parent_pipe, run_worker).run({})
        finally:
            os._exit(status)
    return process


def exit_status(process: int) -> int:
    end = time.monotonic() + at_most(20)
    while time.monotonic() < end:
        reaped, status = os.waitpid(process, os.WNOHANG)
        if reaped:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    raise AssertionError("the manager did not end")


def test_manager_ends_container_after_repeated_deaths(capfd: pytest.CaptureFixture[str]) -> None:
    table = WorkerTable(2)

    def die(number: int) -> int:
        slot = table.slots[number]
        slot.ready = True
        slot.counters[0] += 1
        if number == 0:
            signal.pause()
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0

    assert exit_status(start_manager(table, die)) == 128 + signal.SIGUSR1
    assert table.slots[1].counters[0] == MAX_DEATHS + 1
    assert table.slots[0].counters[0] == 1
    assert not table.slots[0].ready
    reason = capfd.readouterr().err.splitlines()[-1]
    assert reason == "6 workers died within 60 s; the last one was killed by SIGUSR1"


@pytest.mark.parametrize("was_ready", [False, True])
def test_manager_replaces_only_worker_that_was_ready(was_ready: bool) -> None:
    table = WorkerTable(1)
    slot = table.slots[0]

    def leave(_number: int) -> int:
        slot.counters[0] += 1
        if slot.counters[0] == 1:
            slot.ready = was_ready
        return 7

    assert exit_status(start_manager(table, leave)) == 7
    assert slot.counters[0] == 1 + was_ready


def test_manager_reports_failure_where_worker_exits_with_status_0() -> None:
    assert exit_status(start_manager(WorkerTable(1), lambda _: 0)) == 1


def test_manager_kills_worker_that_ignores_sigterm() -> None:
    table = WorkerTable(2)

    def work(number: int) -> int:
        if number == 1:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        table.slots[number].ready = True
        while True:
            signal.pause()

    process = start_manager(table, work)
    while not all(slot.ready for slot in table.slots):
        time.sleep(0.01)
    os.kill(process, signal.SIGTERM)
    assert exit_status(process) == 0


def test_manager_exits_with_parent() -> None:
    table = WorkerTable(1)
    parent_pipe, parent_end = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(parent_end)
        manager(table, parent_pipe, lambda _: time.sleep(5) or 0).run({})
        os._exit(98)
    os.close(parent_pipe)
    os.close(parent_end)
    assert exit_status(process) == 1


def test_exit_is_described_by_status_or_signal() -> None:
    assert (describe_exit(3), shell_status(3)) == ("ended with status 3", 3)
    assert (describe_exit(-15), shell_status(-15)) == ("was killed by SIGTERM", 143)
    assert describe_exit(-9) == "was killed by SIGKILL; out of memory?"
