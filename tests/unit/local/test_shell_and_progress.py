"""What a person sees: the end of what failed, and lines that make sense in a log."""

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
from local.errors import GroundError


def test_a_failure_carries_the_last_lines_and_no_more() -> None:
    with pytest.raises(GroundError) as caught:
        shell.run(["sh", "-c", "seq 1 100; echo why >&2; exit 3"], hint="do this")
    shown = str(caught.value).splitlines()
    assert shown[0] == "`sh -c seq 1 100; echo why >&2; exit 3` ended with status 3:"
    assert shown[-2:] == ["    why", "  -> do this"]
    assert shown[1] == "    77"
    assert len(shown) == shell.TAIL_LINES + 2


def test_a_full_disk_is_told_whatever_the_program() -> None:
    with pytest.raises(GroundError, match="-> the disk is full"):
        shell.run(["sh", "-c", "echo x: No space left on device; exit 1"], hint="look elsewhere")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(GroundError, match="there is no program /nonexistent/x\n"):
        shell.run(["/nonexistent/x"])


def test_input_and_environment_reach_the_program() -> None:
    assert shell.run(["sh", "-c", "cat; echo $A"], stdin="in ", env={"A": "b"}) == "in b"


def test_a_program_that_reads_nothing_fails_by_its_own_words() -> None:
    with pytest.raises(GroundError, match="mine"):
        shell.run(["sh", "-c", "exec <&-; echo mine; exit 1"], stdin="x" * 2**20)


def test_an_interrupted_run_leaves_no_program_behind(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shell.run(["sh", "-c", f"echo $$ > {mark}; echo go; exec sleep 60"], each_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), signal.SIGKILL)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    plain = Console(file=stream, force_terminal=False, highlight=False, soft_wrap=True)
    monkeypatch.setattr(progress, "console", plain)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.05)
    return stream


def test_a_step_with_nothing_to_do_says_nothing(log: io.StringIO) -> None:
    before = threading.active_count()
    with progress.step("quick"):
        pass
    assert log.getvalue() == ""
    assert threading.active_count() == before


def test_a_long_step_says_in_a_log_how_far_it_is(log: io.StringIO) -> None:
    with progress.step("long [x]") as report:
        report(3, 7, "at [this]")
        time.sleep(0.2)
    first, second, *_, last = log.getvalue().splitlines()
    assert first == "... long [x]"
    assert second.startswith("    3/7 at [this]  [")
    assert last.startswith("ok  long [x]  [")
    assert "\x1b" not in log.getvalue()


def test_a_step_that_fails_is_not_called_ok(log: io.StringIO) -> None:
    def fail() -> None:
        with progress.step("broken"):
            time.sleep(0.1)
            raise GroundError("no", "do")

    before = threading.active_count()
    with pytest.raises(GroundError):
        fail()
    first, *others = log.getvalue().splitlines()
    assert first == "... broken"
    assert not [line for line in others if line.startswith("ok")]
    assert threading.active_count() == before


def test_on_a_terminal_a_step_is_one_line_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=100, highlight=False)
    monkeypatch.setattr(progress, "console", terminal)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0)
    with progress.step("compile") as report:
        report(1, 2, "package")
    assert "ok  compile" in stream.getvalue()


def test_an_error_is_shown_as_it_is(log: io.StringIO) -> None:
    progress.complain("a list [red] of x[0]\n  -> do")
    assert log.getvalue() == "error a list [red] of x[0]\n  -> do\n"
