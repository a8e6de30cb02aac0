"""Two processes: the parent answers health, the child serves the function.

A function in C may hold the GIL for as long as it runs, and with it every thread of its process.
Health in the same process would then fail, and Kubernetes would kill a model for being busy.
"""

import os
import signal
import sys
import threading
from types import FrameType

from model_harness.errors import StartupError
from model_harness.health import Health
from model_harness.settings import Settings

# Rust's threads, which run the user's function, get 2 MiB by default, a program's main thread 8.
STACK_BYTES = 8 * 1024 * 1024


def run(settings: Settings) -> int:
    """Serve until SIGTERM or until the child ends; return the exit status."""
    child_reads, _parent_holds = os.pipe()
    parent_reads, child_writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(_parent_holds)
        os.close(parent_reads)
        _be_child(settings, child_reads, child_writes)
    os.close(child_reads)
    os.close(child_writes)
    return _be_parent(settings, child, parent_reads)


def _be_child(settings: Settings, parent_alive: int, ready: int) -> None:
    """Never returns: Granian's threads must not meet an interpreter that is being taken down."""
    status = 1
    try:
        os.environ.setdefault("RUST_MIN_STACK", str(STACK_BYTES))
        from model_harness import worker  # noqa: PLC0415 - the parent stays small, without Granian

        status = worker.main(settings, parent_alive, ready)
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown and ends the process
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _be_parent(settings: Settings, child: int, ready: int) -> int:
    health = Health(settings)
    stopping = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        health.draining()
        os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    threading.Thread(target=_await_ready, args=[ready, health], daemon=True).start()
    try:
        health.start()
    except StartupError as error:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(error, file=sys.stderr)
        return 1
    _, waited = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(waited)
    if status >= 0:
        return status
    if stopping and -status == signal.SIGTERM:
        return 0  # told to stop before the function was loaded
    name = signal.Signals(-status).name
    hint = "; out of memory?" if -status == signal.SIGKILL else ""
    print(f"the model's process was killed by {name}{hint}", file=sys.stderr)
    return 128 - status


def _await_ready(ready: int, health: Health) -> None:
    if os.read(ready, 1):
        health.loaded()
