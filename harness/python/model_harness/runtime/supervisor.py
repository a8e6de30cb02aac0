"""Start at least two processes: the parent answers health probes, the others run the function.

A function in C may hold the GIL for as long as it runs, and with it every thread of its process.
Health probes of the same process would fail, and Kubernetes would kill a model that is busy.
"""

import os
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType

from model_harness.errors import StartupError
from model_harness.observability import internal_requests  # noqa: F401 - one id for all processes
from model_harness.observability.termination_message import TerminationMessage
from model_harness.observability.worker_stats import WorkerTable
from model_harness.runtime.processes import (
    Load,
    ProcessContext,
    describe_exit,
    fork,
    shell_status,
)
from model_harness.settings import Settings

# The default of threads in Rust, which run the function, is 2 MiB; a main thread has 8.
STACK_BYTES = 8 * 1024 * 1024


def run(
    settings: Settings, termination: TerminationMessage, load_factory: Callable[[], Load]
) -> int:
    """Serve until SIGTERM or until the serving process ends; return the exit status.

    The serving process calls `load_factory` before it imports the server, and its result after
    that: whatever they import, the parent stays small.
    """
    parent_pipe, parent_end = os.pipe()
    context = ProcessContext(settings, termination, WorkerTable(settings.workers), parent_pipe)
    child = fork(partial(_run_child, context, load_factory, parent_end))
    os.close(parent_pipe)
    return _run_parent(context, child)


def _run_child(context: ProcessContext, load_factory: Callable[[], Load], parent_end: int) -> int:
    os.close(parent_end)
    load = load_factory()
    os.environ.setdefault("RUST_MIN_STACK", str(STACK_BYTES))
    from model_harness.runtime import prefork, worker  # noqa: PLC0415 - the parent needs neither

    main = worker.main if context.settings.workers == 1 else prefork.main
    return main(context, load)


def _run_parent(context: ProcessContext, child: int) -> int:
    from model_harness.observability.health import Health  # noqa: PLC0415 - while the child starts

    health = Health(context.settings, context.table)
    stopping = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        health.mark_draining()
        os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        health.start()
    except StartupError as error:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        context.termination.report(error)
        return 1
    status = os.waitstatus_to_exitcode(_wait_for(child))
    if stopping and status in {-signal.SIGTERM, 128 + signal.SIGTERM}:
        return 0  # stopped before the function was loaded
    description = f"the serving process {describe_exit(status)}"
    if status < 0:
        context.termination.report(description)
    elif status:
        context.termination.write_if_empty(f"{description}; see its log")
    elif not stopping:
        handler = context.settings.handler
        context.termination.report(
            f"handler {handler}: {description}: the code calls os._exit; raise an error instead"
        )
        return 1
    return shell_status(status)


def _wait_for(child: int) -> int:
    """Return the wait status of the child. As process 1, reap orphans of user code, too."""
    while True:
        process, status = os.waitpid(-1, 0)
        if process == child:
            return status
