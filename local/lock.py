"""One command at a time: two that build and start the same things would spoil each other's work."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from local.progress import say


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``; the kernel takes it back however this process ends."""
    path = folder / "lock"
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a+") as file:
            _acquire(file)
            if not _is_at(file, path):
                continue  # `make clean` deleted the file while this process waited for it
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
            return


def _acquire(file: TextIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        say(f"another make is at work here (process {file.read()}); waiting for it to end")
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(file: TextIO, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())
