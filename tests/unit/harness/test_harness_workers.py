"""Who replaces whom, and when that ends."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from model_harness import workers
from model_harness.processes import ending, shell_status
from model_harness.settings import Settings
from model_harness.shared import Board
from model_harness.workers import MOST_DEATHS, Keeper

SETTINGS = Settings("iris", "v1", "predict:predict", timeout_seconds=0.1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BACK_OFF_SECONDS", 0.001)
    monkeypatch.setattr(workers, "KILL_EXTRA_SECONDS", 0.2)


def kept(board: Board, be_worker: Callable[[int], int]) -> int:
    """Process that keeps workers: Keeper.run changes what its process does with signals."""
    parent_alive, _held = os.pipe()
    process = os.fork()
    if process == 0:
        status = 99
        try:
            status = Keeper(SETTINGS, board, parent_alive, be_worker).run({})
        finally:
            os._exit(status)
    return process


def wait(process: int) -> int:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    raise AssertionError("the keeper did not end")


def test_workers_that_keep_dying_end_the_container(capfd: pytest.CaptureFixture[str]) -> None:
    board = Board(2)

    def die(number: int) -> int:
        row = board.rows[number]
        row.ready = True
        row.counters[0] += 1
        if number == 0:
            signal.pause()
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0

    assert wait(kept(board, die)) == 128 + signal.SIGUSR1
    assert board.rows[1].counters[0] == MOST_DEATHS + 1
    assert board.rows[0].counters[0] == 1
    assert not board.rows[0].ready
    reason = capfd.readouterr().err.splitlines()[-1]
    assert reason == "6 workers died within 60 s; the last one was killed by SIGUSR1"


@pytest.mark.parametrize("ready_seen", [False, True])
def test_a_worker_that_was_never_ready_is_not_replaced(ready_seen: bool) -> None:
    board = Board(1)

    def leave(number: int) -> int:
        board.rows[0].counters[0] += 1
        if board.rows[0].counters[0] == 1:
            board.rows[0].ready = ready_seen
        return 7

    assert wait(kept(board, leave)) == 7
    assert board.rows[0].counters[0] == 1 + ready_seen


def test_who_leaves_with_status_0_unasked_is_no_success() -> None:
    assert wait(kept(Board(1), lambda _: 0)) == 1


def test_sigterm_reaches_all_and_who_does_not_end_is_killed() -> None:
    board = Board(2)

    def work(number: int) -> int:
        if number == 1:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        board.rows[number].ready = True
        while True:
            signal.pause()

    keeper = kept(board, work)
    while not all(row.ready for row in board.rows):
        time.sleep(0.01)
    os.kill(keeper, signal.SIGTERM)
    assert wait(keeper) == 0


def test_an_ending_is_said_as_a_shell_and_a_person_would() -> None:
    assert (ending(3), shell_status(3)) == ("ended with status 3", 3)
    assert (ending(-15), shell_status(-15)) == ("was killed by SIGTERM", 143)
    assert ending(-9) == "was killed by SIGKILL; out of memory?"


def test_a_keeper_whose_parent_is_gone_ends() -> None:
    board = Board(1)
    parent_alive, held = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(held)
        Keeper(SETTINGS, board, parent_alive, lambda _: time.sleep(5) or 0).run({})
        os._exit(98)
    os.close(parent_alive)
    os.close(held)
    assert wait(process) == 1
