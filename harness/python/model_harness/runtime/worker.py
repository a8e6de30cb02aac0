"""A process that serves the function."""

import gc
import os
import queue
import signal
import sys
import threading
from types import FrameType

from model_harness.errors import StartupError
from model_harness.http.app import App
from model_harness.http.server import Server, check_port
from model_harness.observability import log
from model_harness.observability.log import logger
from model_harness.observability.metrics import RequestCounters
from model_harness.observability.termination_message import TerminationMessage
from model_harness.observability.worker_stats import InFlightLimit
from model_harness.runtime.processes import Load, ProcessContext, exit_with_parent
from model_harness.runtime.scheduler import CallScheduler
from model_harness.runtime.watchdog import Watchdog

SWITCH_INTERVAL_SECONDS = 0.0005  # until a thread must release the GIL that another one waits for
DRAIN_MARGIN_SECONDS = 5.0  # after the time limit of a call: to send its response, and slow bodies


def main(context: ProcessContext, load: Load, number: int = 0) -> int:
    """Serve until SIGTERM; return the exit status. `number` is the slot of this worker.

    A single worker listens before it loads, and answers 503 until then; one of several would
    receive requests that the others can answer.
    """
    settings = context.settings
    log.configure(context.termination.redactor)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)  # before user code, which may change it
    threading.Thread(target=exit_with_parent, args=[context.parent_pipe], daemon=True).start()
    slot = context.table.slots[number]
    counters = RequestCounters(slot.counters)
    scheduler = CallScheduler(
        settings.in_flight,
        settings.timeout_seconds,
        settings.threads,
        counters,
        context.termination.redactor.redact,
    )
    is_single = settings.workers == 1
    try:
        app = App(settings, scheduler, counters)
        server = Server(settings, app.handle)
        if is_single:
            check_port(settings)
            server.start()
        else:
            scheduler.share_limit(InFlightLimit(context.table, slot))
        handler = load(settings)
        stop = _stop_signals()  # after user code, which may have set handlers
        handler.connect(scheduler)
        app.open(handler.signature, handler.memory_factor)
        if not is_single:
            server.start()
    except StartupError as error:
        return report_startup_error(error, context.termination)
    Watchdog(
        scheduler, app.bodies, slot, counters, settings.timeout_seconds, context.termination
    ).start()
    gc.freeze()  # what is loaded stays: the collector need not visit it during requests
    slot.ready = True
    stop.get()
    if not server.stop(settings.timeout_seconds + DRAIN_MARGIN_SECONDS):
        logger.warning("stopped with requests in flight: the drain timed out")
    return 0


def report_startup_error(error: StartupError, termination: TerminationMessage) -> int:
    """Log the error and write the termination message; return the exit status."""
    if error.__cause__ is not None:
        logger.error("the model cannot be served", exc_info=error.__cause__)
    termination.report(error)
    return 1


def _handle_signals_in_forks() -> None:
    """Let processes that user code forks end by SIGTERM and SIGINT, as in any program.

    The signals are blocked during a fork: otherwise a signal that arrives before the child has
    restored the defaults would be lost.
    """
    signals = (signal.SIGTERM, signal.SIGINT)

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def restore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=restore)


def _stop_signals() -> "queue.SimpleQueue[int]":
    stop: queue.SimpleQueue[int] = queue.SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    # Ctrl-C reaches the parent, which sends SIGTERM. Not SIG_IGN, which programs inherit.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    _handle_signals_in_forks()
    return stop
