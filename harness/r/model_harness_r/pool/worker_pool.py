"""The R processes of a version: started concurrently and replaced when they end."""

import os
import queue
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from model_harness.errors import StartupError
from model_harness.observability.log import logger
from model_harness.observability.termination_message import TerminationMessage

from model_harness_r.pool import critical_thread, load_errors
from model_harness_r.pool.process import FAILURE, ProcessEndedError, RProcess
from model_harness_r.serialization.deserialize import deserialize

if TYPE_CHECKING:
    from model_harness_r.pool.dispatcher import Dispatcher

RESTART_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)  # seconds before each attempt


class WorkerPool:
    """Keeps `count` processes running, each supervised by one thread."""

    def __init__(
        self,
        label: str,
        count: int,
        environment: Mapping[str, str],
        termination: TerminationMessage,
    ) -> None:
        """Start the processes without waiting for them."""
        self._label = label
        self._environment = environment
        self._termination = termination
        self._loaded: queue.SimpleQueue[object] = queue.SimpleQueue()
        try:
            self._starting = [RProcess(label, environment) for _ in range(count)]
        except OSError as error:
            self._starting = []
            self._loaded.put(StartupError(load_errors.rscript_error(error)))

    def start(self, dispatcher: "Dispatcher") -> object:
        """Wait until all processes are ready; return the formals that the first one reports.

        Raise StartupError if one cannot be started.
        """
        count = max(1, len(self._starting))
        for number in range(1, len(self._starting) + 1):
            critical_thread.start(f"R {number}", partial(self._supervise, dispatcher))
        reports = [self._loaded.get() for _ in range(count)]
        # Not earlier: output of a process that still loads would follow the termination message.
        for error in reports:
            if isinstance(error, StartupError):
                raise error
        return reports[0]

    def _supervise(self, dispatcher: "Dispatcher") -> None:
        """Run one process and its replacements."""
        process = self._starting.pop()
        try:
            formals = self._await_loaded(process)
        except StartupError as error:
            self._loaded.put(error)
            return
        self._loaded.put(formals)
        while True:
            channel = dispatcher.add_worker(process)
            process.wait()
            dispatcher.remove_worker(channel)
            logger.error("%s; starting a new one", process.exit_reason())
            del channel, process  # closes their file descriptors
            process = self._restart()

    def _restart(self) -> RProcess:
        reason = ""
        for pause in RESTART_PAUSES:
            time.sleep(pause)
            try:
                process = RProcess(self._label, self._environment)
                self._await_loaded(process)
            except (OSError, StartupError) as error:
                reason = f"R cannot be restarted: {error}"
                logger.error(reason)
            else:
                return process
        # Let Kubernetes restart the container with its back-off.
        logger.critical("R cannot be restarted; ending the process")
        self._termination.write(reason)
        os._exit(critical_thread.FAILED_EXIT_STATUS)

    def _await_loaded(self, process: RProcess) -> object:
        """Return the formals of the function. Raise StartupError."""
        try:
            answer = process.first_answer()
        except ProcessEndedError:
            process.wait()
            message = load_errors.exit_error(self._label, process.exit_reason())
            raise StartupError(message) from None
        try:
            report = deserialize(answer.data)
        except TypeError as error:  # a default of the function that is not JSON
            process.kill("its function cannot be described")
            process.wait()
            message = f"handler {self._label}: default of an argument: {error}"
            raise StartupError(message) from None
        if answer.kind == FAILURE:
            process.wait()
            raise StartupError(load_errors.load_error(self._label, report))
        return report
