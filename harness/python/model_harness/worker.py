"""The process that serves the function."""

import os
import queue
import signal
import sys
import threading
from types import FrameType

from model_harness import handler, log
from model_harness.errors import StartupError
from model_harness.front import Front
from model_harness.log import logger
from model_harness.server import Server
from model_harness.settings import Settings
from model_harness.watchdog import Watchdog

DRAIN_EXTRA_SECONDS = 5.0  # over one call's time: for its answer to be sent, and slow bodies


def main(settings: Settings, parent_alive: int, ready: int) -> int:
    """Serve until SIGTERM; return the exit status.

    `parent_alive` is the reading end of a pipe that the parent never writes to, `ready` the
    writing end of one that gets a byte once the function can be called.
    """
    log.configure()
    threading.Thread(target=_end_with_parent, args=[parent_alive], daemon=True).start()
    front = Front(settings)
    server = Server(settings, front.answer)
    try:
        server.start()
        loaded = handler.load(settings.handler)
    except StartupError as error:
        if error.__cause__ is not None:
            logger.error("the model cannot be served", exc_info=error.__cause__)
        print(error, file=sys.stderr)  # last and plain: it becomes the pod's termination message
        return 1
    stop: queue.SimpleQueue[int] = queue.SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop.put(number)

    # After the user's imports, which may have set their own.
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which sends SIGTERM
    front.open(loaded)
    Watchdog(front.calls, front.bodies, settings.timeout_seconds).start()
    os.write(ready, b"1")
    stop.get()
    if not server.stop(settings.timeout_seconds + DRAIN_EXTRA_SECONDS):
        logger.warning("stopped with requests in flight: they took longer than the drain waits")
    return 0


def _end_with_parent(parent_alive: int) -> None:
    """A parent that was killed must not leave a model behind that nobody watches."""
    os.read(parent_alive, 1)  # returns at end of file, never before
    os._exit(1)
