"""Threads that the process cannot do without."""

import os
import threading
from collections.abc import Callable

from model_harness.log import logger

LOST_EXIT_STATUS = 70  # the same as the watchdog's


def start(name: str, work: Callable[[], None]) -> None:
    """Run it in a thread of its own; if it fails the process ends, to be started again."""

    def run() -> None:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a mistake of ours, after which calls would hang
            logger.critical("the harness failed; ending the process", exc_info=True)
            os._exit(LOST_EXIT_STATUS)

    threading.Thread(target=run, name=name, daemon=True).start()
