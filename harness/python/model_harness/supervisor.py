"""At least two processes: the parent answers health, the others serve the function.

A function in C may hold the GIL for as long as it runs, and with it every thread of its process.
Health in the same process would then fail, and Kubernetes would kill a model for being busy.
"""

import os
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType

from model_harness import last_words
from model_harness.errors import StartupError
from model_harness.processes import Load, ending, fork, shell_status
from model_harness.settings import Settings
from model_harness.shared import Board

# Rust's threads, which run the user's function, get 2 MiB by default, a program's main thread 8.
STACK_BYTES = 8 * 1024 * 1024


def run(settings: Settings, begin: Callable[[], Load]) -> int:
    """Serve until SIGTERM or until the function's process ends; return the exit status.

    `begin` is called in that process, before the server is imported, and what it returns after
    that: whatever they import, the parent stays small.
    """
    board = Board(settings.workers)
    parent_alive, held = os.pipe()
    child = fork(partial(_be_child, settings, begin, board, parent_alive, held))
    os.close(parent_alive)
    return _be_parent(settings, child, board)


def _be_child(
    settings: Settings, begin: Callable[[], Load], board: Board, parent_alive: int, held: int
) -> int:
    os.close(held)  # the parent's end of the pipe
    load = begin()
    os.environ.setdefault("RUST_MIN_STACK", str(STACK_BYTES))
    # Here, since the parent needs none of it.
    from model_harness import worker, workers  # noqa: PLC0415

    if settings.workers == 1:
        return worker.main(settings, parent_alive, load, board)
    return workers.main(settings, parent_alive, load, board)


def _be_parent(settings: Settings, child: int, board: Board) -> int:
    from model_harness.health import Health  # noqa: PLC0415 - while the child starts, not before

    health = Health(settings, board)
    stopping = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        health.draining()
        os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        health.start()
    except StartupError as error:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        last_words.say(error)
        return 1
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if stopping and status in {-signal.SIGTERM, 128 + signal.SIGTERM}:
        return 0  # told to stop before the function was loaded
    if status < 0:
        last_words.say(f"the model's process {ending(status)}")
    elif status:
        last_words.keep_if_none(f"the model's process {ending(status)}; its log says more")
    return shell_status(status)
