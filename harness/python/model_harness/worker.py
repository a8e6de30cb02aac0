"""A process that serves the function."""

import gc
import queue
import signal
import sys
import threading
from types import FrameType

from model_harness import last_words, log
from model_harness.errors import StartupError
from model_harness.exchange import Exchange
from model_harness.front import Front
from model_harness.log import logger
from model_harness.metrics import Counters
from model_harness.processes import Load, end_with_parent
from model_harness.server import Server, check_port
from model_harness.settings import Settings
from model_harness.shared import Board, Line
from model_harness.watchdog import Watchdog

SWITCH_SECONDS = 0.0005  # until a thread is asked for the GIL that another one waits for
DRAIN_EXTRA_SECONDS = 5.0  # over one call's time: for its answer to be sent, and slow bodies


def main(settings: Settings, parent_alive: int, load: Load, board: Board, number: int = 0) -> int:
    """Serve until SIGTERM; return the exit status.

    `parent_alive` is the reading end of a pipe that the parent never writes to, `number` that of
    the process's row on the board. A process that is alone listens before it loads, and refuses
    with 503; one of several would take requests that the others can answer.
    """
    log.configure()
    sys.setswitchinterval(SWITCH_SECONDS)  # before the user's imports, which may set their own
    threading.Thread(target=end_with_parent, args=[parent_alive], daemon=True).start()
    row = board.rows[number]
    Exchange.counters = Counters(row.counters)
    alone = settings.workers == 1
    try:
        front = Front(settings)
        server = Server(settings, front.answer)
        if alone:
            check_port(settings)
            server.start()
        else:
            front.calls.share(Line(board, row))
        loaded = load(settings)
        stop = _signals()  # after the user's imports, which may have set their own
        front.open(loaded)
        if not alone:
            server.start()
    except StartupError as error:
        return told(error)
    Watchdog(front.calls, front.bodies, settings.timeout_seconds, row).start()
    gc.freeze()  # what was loaded stays: the collector need not look at it again during requests
    row.ready = True
    stop.get()
    if not server.stop(settings.timeout_seconds + DRAIN_EXTRA_SECONDS):
        logger.warning("stopped with requests in flight: they took longer than the drain waits")
    return 0


def told(error: StartupError) -> int:
    """Say why the start ended; return the exit status."""
    if error.__cause__ is not None:
        logger.error("the model cannot be served", exc_info=error.__cause__)
    last_words.say(error)
    return 1


def _signals() -> "queue.SimpleQueue[int]":
    stop: queue.SimpleQueue[int] = queue.SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which sends SIGTERM
    return stop
