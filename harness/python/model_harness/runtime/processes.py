"""Fork processes and describe how they ended. Imports nothing that costs start time."""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_harness.observability.termination_message import TerminationMessage
from model_harness.observability.worker_stats import WorkerTable
from model_harness.settings import Settings

if TYPE_CHECKING:
    from model_harness.runtime.handler import Handler

Load = Callable[[Settings], "Handler"]


@dataclass(frozen=True)
class ProcessContext:
    """What the parent hands to every process of the container."""

    settings: Settings
    termination: TerminationMessage
    table: WorkerTable
    parent_pipe: int
    """The read end of a pipe that the parent never writes to: its end is the end of the parent."""


def fork(main: Callable[[], int]) -> int:
    """Run `main` in a new process, which exits with the status that it returns.

    Return the process id.
    """
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        status = main()
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - printed, and the process ends
        sys.excepthook(*sys.exc_info())
    finally:
        # Not sys.exit: threads of Granian must not run while the interpreter is finalized.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def exit_with_parent(parent_pipe: int) -> None:
    """Exit when the parent dies, so that no orphan serves traffic."""
    os.read(parent_pipe, 1)  # returns at end of file, never before
    os._exit(1)


def describe_exit(status: int) -> str:
    """Describe the end of a process with this status, which is negative for a signal."""
    if status >= 0:
        return f"ended with status {status}"
    hint = "; out of memory?" if -status == signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-status).name}{hint}"


def shell_status(status: int) -> int:
    """Return the status as a shell or a container reports it."""
    return status if status >= 0 else 128 - status
