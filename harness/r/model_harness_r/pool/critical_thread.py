"""Threads that the process cannot work without."""

import os
import threading
from collections.abc import Callable

from model_harness.observability.log import logger

FAILED_EXIT_STATUS = 70  # the same as the watchdog's


def start(name: str, run: Callable[[], None]) -> None:
    """Start a thread. If it fails the process exits, and Kubernetes restarts it."""

    def run_or_exit() -> None:
        try:
            run()
        except BaseException:  # noqa: BLE001 - an error of the harness, after which calls would hang
            logger.critical("the harness failed; ending the process", exc_info=True)
            os._exit(FAILED_EXIT_STATUS)

    threading.Thread(target=run_or_exit, name=name, daemon=True).start()
