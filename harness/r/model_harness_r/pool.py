"""The R processes of a version: started side by side, replaced for ever."""

import os
import queue
import threading
import time
from collections.abc import Mapping

from model_harness import last_words
from model_harness.errors import StartupError
from model_harness.log import logger

from model_harness_r import failures
from model_harness_r.dispatcher import LOST_EXIT_STATUS, Dispatcher
from model_harness_r.process import FAILURE, EndedError, RProcess
from model_harness_r.reader import read

RESTART_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)  # seconds before each try to start it again


class Pool:
    """Keeps `count` processes. Each has a thread that waits for its end and starts the next one."""

    def __init__(
        self, label: str, count: int, environment: Mapping[str, str], dispatcher: Dispatcher
    ) -> None:
        """Nothing runs before `start`."""
        self._label = label
        self._count = count
        self._environment = environment
        self._dispatcher = dispatcher
        self._begun: queue.SimpleQueue[object] = queue.SimpleQueue()

    def start(self) -> object:
        """Return what the first one says of the function, once all are there.

        Raises StartupError if one could not be started.
        """
        for number in range(self._count):
            name = f"R {number + 1}"
            threading.Thread(target=self._keep, name=name, daemon=True).start()
        said = [self._begun.get() for _ in range(self._count)]
        # Only now: the output of one that still loads would come after the last word.
        for error in said:
            if isinstance(error, StartupError):
                raise error
        return said[0]

    def _keep(self) -> None:
        """One process after the other, for ever."""
        try:
            process = self._started(self._begun)
        except StartupError as error:
            self._begun.put(error)
            return
        while True:
            lane = self._dispatcher.join(process)
            process.await_end()
            self._dispatcher.leave(lane)
            logger.error("%s; starting a new one", process.reason())
            process = self._restarted()

    def _restarted(self) -> RProcess:
        reason = ""
        for pause in RESTART_PAUSES:
            time.sleep(pause)
            try:
                return self._started(None)
            except StartupError as error:
                reason = f"R does not start again: {error}"
                logger.error(reason)
        # As good as down: let the container start again, on record and with its back-off.
        logger.critical("R does not start again; ending the process")
        last_words.keep(reason)
        os._exit(LOST_EXIT_STATUS)

    def _started(self, begun: "queue.SimpleQueue[object] | None") -> RProcess:
        try:
            process = RProcess(self._label, self._environment)
        except OSError as error:
            raise StartupError(failures.not_run(error)) from error
        try:
            answer = process.first_answer()
        except EndedError:
            process.await_end()
            message = failures.ended(self._label, process.reason())
            raise StartupError(message) from None
        if answer.kind == FAILURE:
            process.await_end()
            raise StartupError(failures.told(self._label, read(answer.data)))
        if begun is not None:
            begun.put(read(answer.data))
        return process
