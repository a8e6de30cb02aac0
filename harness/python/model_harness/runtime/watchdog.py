"""Enforce deadlines and send heartbeats, from a thread that never waits for the function."""

import os
import threading
import time

from model_harness.http.request_body import BodyReader
from model_harness.observability.log import logger
from model_harness.observability.metrics import RequestCounters
from model_harness.observability.termination_message import TerminationMessage
from model_harness.observability.worker_stats import WorkerSlot
from model_harness.runtime.scheduler import CallScheduler

STUCK_SECONDS = 60.0  # after its deadline a call that still runs counts as stuck
STUCK_EXIT_STATUS = 70
CHECKS_PER_TIMEOUT = 20
MAX_CHECK_INTERVAL_SECONDS = 0.25


class Watchdog:
    """Answers timed-out calls with 504; exits the process if the function is stuck.

    A thread cannot be stopped from outside, and a version has a fixed number of them: a stuck one
    would cause 504 forever. Kubernetes restarts the process, and the termination message has the
    reason.
    """

    def __init__(
        self,
        scheduler: CallScheduler,
        bodies: BodyReader,
        slot: WorkerSlot,
        counters: RequestCounters,
        timeout_seconds: float,
        termination: TerminationMessage,
    ) -> None:
        """Create it. The parent reads `slot`."""
        self._scheduler = scheduler
        self._bodies = bodies
        self._slot = slot
        self._counters = counters
        self._termination = termination
        self._interval = min(MAX_CHECK_INTERVAL_SECONDS, timeout_seconds / CHECKS_PER_TIMEOUT)
        self._stuck_after = timeout_seconds + STUCK_SECONDS

    def start(self) -> None:
        """Check for the lifetime of the process."""
        threading.Thread(target=self._check_forever, name="watchdog", daemon=True).start()

    def check(self, now: float) -> None:
        """Check once, at `now` in seconds of time.perf_counter."""
        self._scheduler.expire(now)
        self._bodies.expire(now)
        self.publish_stats()
        if self._scheduler.longest_running_seconds(now) > self._stuck_after:
            reason = f"the function has not returned for {self._stuck_after:g} s"
            logger.critical("%s; ending the process", reason)
            self._termination.write(reason)
            os._exit(STUCK_EXIT_STATUS)

    def publish_stats(self) -> None:
        """Publish heartbeat and counters, and correct the number of calls after a race."""
        self._slot.heartbeat = time.monotonic()
        self._slot.in_flight = self._scheduler.in_flight()
        self._counters.publish()

    def _check_forever(self) -> None:
        while True:
            self.check(time.perf_counter())
            time.sleep(self._interval)
