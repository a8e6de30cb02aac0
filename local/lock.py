"""Lock that lets one command at a time change the local stack."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from local.progress import print_line


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Hold the lock file of `folder`; the kernel releases it when this process ends."""
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
        print_line(f"waiting for another make command (process {file.read()})")
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(file: TextIO, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())
