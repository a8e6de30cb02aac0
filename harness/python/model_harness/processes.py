"""Forking, and what is to be said of a process that ended; without an import that costs."""

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from model_harness.settings import Settings

if TYPE_CHECKING:
    from model_harness.handler import Handler

Load = Callable[[Settings], "Handler"]


def fork(main: Callable[[], int]) -> int:
    """Run `main` in a new process, which ends with what it returns; return the process's id."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        status = main()
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown and ends the process
        sys.excepthook(*sys.exc_info())
    finally:
        # Not sys.exit: Granian's threads must not meet an interpreter that is being taken down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def end_with_parent(parent_alive: int) -> None:
    """Wait for the end of a pipe's other side: nobody must serve whom nobody watches."""
    os.read(parent_alive, 1)  # returns at end of file, never before
    os._exit(1)


def ending(status: int) -> str:
    """Say how a process ended whose status is `status`, negative for a signal."""
    if status >= 0:
        return f"ended with status {status}"
    hint = "; out of memory?" if -status == signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-status).name}{hint}"


def shell_status(status: int) -> int:
    """Return the status that a shell, or a container, has for it."""
    return status if status >= 0 else 128 - status
