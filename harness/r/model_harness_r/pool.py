"""The R processes of a version: started side by side, replaced for ever."""

import os
import queue
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from model_harness import last_words
from model_harness.errors import StartupError
from model_harness.log import logger

from model_harness_r import failures, vital
from model_harness_r.process import FAILURE, EndedError, RProcess
from model_harness_r.reader import read

if TYPE_CHECKING:
    from model_harness_r.dispatcher import Dispatcher

RESTART_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)  # seconds before each try to start it again


class Pool:
    """Keeps `count` processes. Each has a thread that waits for its end and starts the next one."""

    def __init__(self, label: str, count: int, environment: Mapping[str, str]) -> None:
        """Begin to start them."""
        self._label = label
        self._environment = environment
        self._said: queue.SimpleQueue[object] = queue.SimpleQueue()
        try:
            self._first = [RProcess(label, environment) for _ in range(count)]
        except OSError as error:
            self._first = []
            self._said.put(StartupError(failures.not_run(error)))

    def start(self, dispatcher: "Dispatcher") -> object:
        """Return what the first one says of the function, once all are there.

        Raises StartupError if one could not be started.
        """
        count = max(1, len(self._first))
        for number in range(1, len(self._first) + 1):
            vital.start(f"R {number}", partial(self._keep, dispatcher))
        said = [self._said.get() for _ in range(count)]
        # Only now: the output of one that still loads would come after the last word.
        for error in said:
            if isinstance(error, StartupError):
                raise error
        return said[0]

    def _keep(self, dispatcher: "Dispatcher") -> None:
        """One process after the other, for ever."""
        process = self._first.pop()
        try:
            said = self._loaded(process)
        except StartupError as error:
            self._said.put(error)
            return
        self._said.put(said)
        while True:
            lane = dispatcher.join(process)
            process.await_end()
            dispatcher.leave(lane)
            logger.error("%s; starting a new one", process.reason())
            del lane, process  # with their descriptors
            process = self._restarted()

    def _restarted(self) -> RProcess:
        reason = ""
        for pause in RESTART_PAUSES:
            time.sleep(pause)
            try:
                process = RProcess(self._label, self._environment)
                self._loaded(process)
            except (OSError, StartupError) as error:
                reason = f"R does not start again: {error}"
                logger.error(reason)
            else:
                return process
        # As good as down: let the container start again, on record and with its back-off.
        logger.critical("R does not start again; ending the process")
        last_words.keep(reason)
        os._exit(vital.LOST_EXIT_STATUS)

    def _loaded(self, process: RProcess) -> object:
        """Return what it says of the function. Raises StartupError."""
        try:
            answer = process.first_answer()
        except EndedError:
            process.await_end()
            message = failures.ended(self._label, process.reason())
            raise StartupError(message) from None
        try:
            said = read(answer.data)
        except TypeError as error:  # a default of the function that JSON does not have
            process.kill("it cannot be described")
            process.await_end()
            raise StartupError(f"handler {self._label}: of a default: {error}") from None
        if answer.kind == FAILURE:
            process.await_end()
            raise StartupError(failures.told(self._label, said))
        return said
