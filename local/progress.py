"""Progress of long steps: a live display on a terminal, plain lines in a log."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

console = Console(stderr=True, highlight=False, soft_wrap=True)

QUIET_SECONDS = 1.0
"""Shorter steps print nothing: most of them have nothing to do."""
LOG_INTERVAL_SECONDS = 20.0
"""Interval in which a running step prints a line to a log."""

TABLE_SECONDS = 60.0
"""Shorter runs print no table of their steps."""

step_durations: list[tuple[str, float]] = []
"""Title and seconds of each finished step of this process."""

ReportProgress = Callable[[int, int, str], None]
"""Takes the number of finished parts, the total and a detail."""


@contextmanager
def step(title: str) -> Iterator[ReportProgress]:
    """Run the body as a named step, which may report its progress; print its duration.

    Steps may run at the same time in several threads.
    """
    started = time.monotonic()
    with _display.task(title) if console.is_terminal else _log_lines(title) as report:
        yield report
    seconds = time.monotonic() - started
    if seconds >= QUIET_SECONDS:
        step_durations.append((title, seconds))
        print_line(f"ok  {title}  [{seconds:.1f} s]")


def show_durations() -> None:
    """Print the duration of each step, longest first; print nothing after a short run."""
    if sum(seconds for _, seconds in step_durations) < TABLE_SECONDS:
        return
    table = Table("step", "seconds", title="Duration of steps (they may overlap)")
    table.columns[1].justify = "right"
    for title, seconds in sorted(step_durations, key=lambda row: -row[1]):
        table.add_row(title, f"{seconds:.1f}")
    console.print(table)


class _LiveDisplay:
    """The live display of all running steps; a terminal can show only one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None

    @contextmanager
    def task(self, title: str) -> Iterator[ReportProgress]:
        """Show a step while the body runs."""
        with self._lock:
            progress = self._progress = self._progress or self._start()
            task = progress.add_task(title, total=None, detail="")

        def report(done: int, total: int, detail: str) -> None:
            progress.update(task, completed=done, total=total or None, detail=detail[-40:])

        try:
            yield report
        finally:
            with self._lock:
                progress.remove_task(task)
                if not progress.tasks:
                    progress.stop()
                    self._progress = None

    def _start(self) -> Progress:
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        progress.start()
        return progress


_display = _LiveDisplay()


@contextmanager
def _log_lines(title: str) -> Iterator[ReportProgress]:
    """Print a line at the start of a long step, and one in each interval until it ends."""
    latest = ""
    finished = threading.Event()
    started = time.monotonic()

    def report(done: int, total: int, detail: str) -> None:
        nonlocal latest
        latest = f"{done}/{total} {detail}" if total else detail

    def print_lines() -> None:
        if finished.wait(QUIET_SECONDS):
            return
        print_line(f"... {title}")
        while not finished.wait(LOG_INTERVAL_SECONDS):
            print_line(f"    {latest}  [{time.monotonic() - started:.0f} s]")

    printer = threading.Thread(target=print_lines, daemon=True)
    printer.start()
    try:
        yield report
    finally:
        finished.set()
        printer.join()


def print_line(text: str) -> None:
    """Print text above the live display, without markup."""
    console.print(text, markup=False)


def print_error(text: str) -> None:
    """Print an error message."""
    console.print("error", style="red", end=" ")
    console.print(text, markup=False)
