"""Shows what takes long and how far it is: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
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

#: How often a step says in a log that it still goes on, in seconds.
LOG_INTERVAL = 20.0

#: Called with (done, total, what is at hand).
Report = Callable[[int, int, str], None]


@contextmanager
def step(title: str) -> Iterator[Report]:
    """Run one named step; its body may report how far it is. Prints at the end how long it took."""
    started = time.monotonic()
    if console.is_terminal:
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as bar:
            task = bar.add_task(title, total=None, detail="")

            def report(done: int, total: int, detail: str) -> None:
                bar.update(task, completed=done, total=total or None, detail=detail[-40:])

            yield report
    else:
        console.print(f"... {title}")
        last = started

        def report(done: int, total: int, detail: str) -> None:
            nonlocal last
            if time.monotonic() - last >= LOG_INTERVAL:
                last = time.monotonic()
                share = f"{done}/{total} " if total else ""
                console.print(f"    {share}{detail}  [{last - started:.0f} s]")

        yield report
    console.print(f"ok  {title}  [{time.monotonic() - started:.1f} s]")
    sys.stderr.flush()


def say(text: str) -> None:
    """Print one line beside the steps."""
    console.print(text)
