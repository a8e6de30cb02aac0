"""Errors of programs, and the progress on a terminal and in a log."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from local import progress, shell
from local.errors import SetupError


def test_run_error_contains_last_lines_of_output() -> None:
    with pytest.raises(SetupError) as caught:
        shell.run(["sh", "-c", "seq 1 100; echo why >&2; exit 3"], remedy="do this")
    message = str(caught.value).splitlines()
    assert message[0] == "`sh -c seq 1 100; echo why >&2; exit 3` exited with status 3:"
    assert message[-2:] == ["    why", "  -> do this"]
    assert message[1] == "    77"
    assert len(message) == shell.TAIL_LINES + 2


def test_run_error_reports_full_disk() -> None:
    with pytest.raises(SetupError, match="-> the disk is full"):
        shell.run(["sh", "-c", "echo x: No space left on device; exit 1"], remedy="look elsewhere")


def test_run_error_names_missing_program() -> None:
    with pytest.raises(SetupError, match="program not found: /nonexistent/x\n"):
        shell.run(["/nonexistent/x"])


def test_run_passes_input_and_environment() -> None:
    assert shell.run(["sh", "-c", "cat; echo $A"], stdin="in ", env={"A": "b"}) == "in b"


def test_run_error_of_program_that_reads_no_input_is_its_output() -> None:
    with pytest.raises(SetupError, match="mine"):
        shell.run(["sh", "-c", "exec <&-; echo mine; exit 1"], stdin="x" * 2**20)


def test_interrupted_run_terminates_program(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shell.run(["sh", "-c", f"echo $$ > {pid_file}; echo go; exec sleep 60"], on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    plain = Console(file=stream, force_terminal=False, highlight=False, soft_wrap=True)
    monkeypatch.setattr(progress, "console", plain)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "LOG_INTERVAL_SECONDS", 0.05)
    return stream


def test_short_step_prints_nothing(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 60.0)
    before = threading.active_count()
    with progress.step("quick"):
        pass
    assert log.getvalue() == ""
    assert threading.active_count() == before


def test_long_step_prints_progress_to_log(log: io.StringIO) -> None:
    with progress.step("long [x]") as report:
        report(3, 7, "at [this]")
        deadline = time.monotonic() + 10
        while "3/7" not in log.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    first, second, *_, last = log.getvalue().splitlines()
    assert first == "... long [x]"
    assert second.startswith("    3/7 at [this]  [")
    assert last.startswith("ok  long [x]  [")
    assert "\x1b" not in log.getvalue()


def test_failed_step_is_not_ok(log: io.StringIO) -> None:
    def fail() -> None:
        with progress.step("broken"):
            time.sleep(0.1)
            raise SetupError("no", "do")

    before = threading.active_count()
    with pytest.raises(SetupError):
        fail()
    first, *more = log.getvalue().splitlines()
    assert first == "... broken"
    assert not [line for line in more if line.startswith("ok")]
    assert threading.active_count() == before


def test_step_on_terminal_prints_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=100, highlight=False)
    monkeypatch.setattr(progress, "console", terminal)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0)
    with progress.step("compile") as report:
        report(1, 2, "package")
    assert "ok  compile" in stream.getvalue()


def test_print_error_ignores_markup(log: io.StringIO) -> None:
    progress.print_error("a list [red] of x[0]\n  -> do")
    assert log.getvalue() == "error a list [red] of x[0]\n  -> do\n"


def test_run_in_parallel_runs_all_tasks_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    shell.run_in_parallel(both.wait, both.wait)


def test_run_in_parallel_terminates_other_programs_after_failure() -> None:
    started = time.monotonic()

    def fail() -> None:
        time.sleep(0.5)
        raise SetupError("no network", "look at it")

    with pytest.raises(SetupError, match="no network"):
        shell.run_in_parallel(lambda: shell.run(["sleep", "60"]), fail)
    assert time.monotonic() - started < 30


def test_show_durations_prints_longest_first(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "step_durations", [("short", 20.0), ("long", 70.5)])
    progress.show_durations()
    table = log.getvalue()
    assert table.index("long") < table.index("short")
    assert "70.5" in table


def test_show_durations_prints_nothing_after_short_run(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "step_durations", [("short", 2.0)])
    progress.show_durations()
    assert log.getvalue() == ""
