"""Shows what takes long and how far it is: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

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

console = Console(stderr=True, highlight=False, soft_wrap=True)

#: A step that is done sooner prints nothing, in seconds: most have nothing to do.
QUIET_SECONDS = 1.0
#: How often a step says in a log that it still goes on, in seconds.
LOG_INTERVAL = 20.0

#: Called with (done, total, what is at hand).
Report = Callable[[int, int, str], None]


@contextmanager
def step(title: str) -> Iterator[Report]:
    """Run one named step; its body may report how far it is. Prints at the end how long it took."""
    started = time.monotonic()
    with _live(title) if console.is_terminal else _lines(title) as report:
        yield report
    taken = time.monotonic() - started
    if taken >= QUIET_SECONDS:
        say(f"ok  {title}  [{taken:.1f} s]")


@contextmanager
def _live(title: str) -> Iterator[Report]:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(title, total=None, detail="")

        def report(done: int, total: int, detail: str) -> None:
            bar.update(task, completed=done, total=total or None, detail=detail[-40:])

        yield report


@contextmanager
def _lines(title: str) -> Iterator[Report]:
    """A line once it takes long, and one at each interval, also where the body is silent."""
    at_hand = ""
    ended = threading.Event()
    started = time.monotonic()

    def report(done: int, total: int, detail: str) -> None:
        nonlocal at_hand
        at_hand = f"{done}/{total} {detail}" if total else detail

    def speak() -> None:
        if ended.wait(QUIET_SECONDS):
            return
        say(f"... {title}")
        while not ended.wait(LOG_INTERVAL):
            say(f"    {at_hand}  [{time.monotonic() - started:.0f} s]")

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield report
    finally:
        ended.set()
        speaker.join()


def say(text: str) -> None:
    """Print one line beside the steps, as it is."""
    console.print(text, markup=False)


def complain(text: str) -> None:
    """Print what went wrong."""
    console.print("error", style="red", end=" ")
    console.print(text, markup=False)
