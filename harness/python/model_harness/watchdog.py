"""Time-outs, and signs of life for the parent, from a thread that waits for nobody."""

import os
import threading
import time

from model_harness import last_words
from model_harness.bodies import Bodies
from model_harness.calls import Calls
from model_harness.exchange import Exchange
from model_harness.log import logger
from model_harness.shared import Row

STUCK_SECONDS = 60.0  # past its time-out; then the function is taken to be lost
STUCK_EXIT_STATUS = 70
TICKS = 20  # looks per time-out
MOST_BETWEEN_LOOKS = 0.25  # seconds


class Watchdog:
    """Answers what is overdue. Ends the process when the function will not come back.

    A thread cannot be stopped from outside, and those of a version are counted: without an end it
    would answer 504 for ever, or with ever fewer threads. The process is started again, and the
    reason is on record.
    """

    def __init__(self, calls: Calls, bodies: Bodies, timeout_seconds: float, row: Row) -> None:
        """Does nothing before `start`. `row` is where the parent looks."""
        self._calls = calls
        self._bodies = bodies
        self._row = row
        self._pause = min(MOST_BETWEEN_LOOKS, timeout_seconds / TICKS)
        self._lost_after = timeout_seconds + STUCK_SECONDS

    def start(self) -> None:
        """Look on, for as long as the process lives."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.look(time.perf_counter())
            time.sleep(self._pause)

    def look(self, now: float) -> None:
        """One look, at `now` in time.perf_counter's seconds."""
        self._calls.expire(now)
        self._bodies.expire(now)
        self.show()
        if self._calls.running_seconds(now) > self._lost_after:
            reason = f"the function has not returned for {self._lost_after:g} s"
            logger.critical("%s; ending the process", reason)
            last_words.keep(reason)
            os._exit(STUCK_EXIT_STATUS)

    def show(self) -> None:
        """Let the parent see how it goes. Shows calls again that two threads showed at once."""
        self._row.heartbeat = time.monotonic()
        self._row.in_flight = self._calls.in_flight()
        Exchange.counters.show()
