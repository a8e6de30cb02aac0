"""Several processes that serve the same function: loaded once, then forked.

Three kinds of processes:

    parent (health) - monitor - loader - worker 0, worker 1, ...

The loader imports the user's code, freezes what the garbage collector would otherwise touch, and
forks the workers, which share its memory until they write to it. It stays, and forks another
worker for one that died. A fork has only the thread that forks, and shares connections and the
positions of files: where loading started threads or opened any of these, the loader must not fork.
It becomes worker 0 itself then, and the monitor, which has loaded nothing, forks the others, each
of which loads by itself.
"""

import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType

from model_harness.errors import StartupError
from model_harness.http.server import check_port
from model_harness.observability import log
from model_harness.observability.log import logger
from model_harness.runtime import worker
from model_harness.runtime.processes import (
    Load,
    ProcessContext,
    describe_exit,
    exit_with_parent,
    fork,
    shell_status,
)

# Thread pools that mathematical libraries start on import. Several processes keep the cores busy
# without them; a stack that sets one of these gets threads, and workers that load separately.
THREAD_POOL_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

MAX_DEATHS = 5  # within DEATH_WINDOW_SECONDS; one more ends the container
DEATH_WINDOW_SECONDS = 60.0
BACK_OFF_SECONDS = 1.0  # before the second replacement; doubled for each further one
PARENT_CHECK_SECONDS = 1.0
KILL_MARGIN_SECONDS = 10.0  # after the time limit of a call a stopping worker is killed

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
_CAN_FORK, _HAS_THREADS = b"f", b"t"


def main(context: ProcessContext, load: Load) -> int:
    """Run the monitor until SIGTERM; return the exit status."""
    log.configure(context.termination.redactor)
    for variable in THREAD_POOL_VARIABLES:
        os.environ.setdefault(variable, "1")
    try:
        check_port(context.settings)
    except StartupError as error:
        return worker.report_startup_error(error, context.termination)
    read_end, write_end = os.pipe()
    loader = fork(partial(_run_loader, context, load, write_end))
    os.close(write_end)
    if os.read(read_end, 1) == _HAS_THREADS:
        manager = WorkerManager(context, partial(worker.main, context, load))
        return manager.run({loader: 0})
    return _follow_loader(loader, context)


def _run_loader(context: ProcessContext, load: Load, verdict: int) -> int:
    """Load the function, then fork the workers or become one. Write the verdict to a pipe."""
    opened_before = _open_files()
    try:
        handler = load(context.settings)
    except StartupError as error:
        return worker.report_startup_error(error, context.termination)
    threads = len(os.listdir("/proc/self/task")) - 1
    opened = sorted(_open_files() - opened_before)
    if threads or opened:
        cause = f"started {threads} threads" if threads else f"opened {', '.join(opened[:3])}"
        logger.info("loading %s, which workers cannot share: each worker loads separately", cause)
        os.write(verdict, _HAS_THREADS)
        return worker.main(context, lambda _: handler, 0)
    os.write(verdict, _CAN_FORK)
    gc.collect()
    gc.freeze()

    def run_worker(number: int) -> int:
        if numpy_random := sys.modules.get("numpy.random"):
            numpy_random.seed()  # `random` reseeds itself; otherwise all workers draw the same
        return worker.main(context, lambda _: handler, number)

    return WorkerManager(context, run_worker).run({})


def _open_files() -> set[str]:
    """Return the open sockets, pipes and files of this process, without devices.

    Processes that share a connection receive each other's replies, and those that share a file
    share its position.
    """
    names = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the descriptor of the listing is closed by now
            names.add(os.readlink(f"/proc/self/fd/{number}"))
    return {name for name in names if not name.startswith("/dev/")}


def _follow_loader(loader: int, context: ProcessContext) -> int:
    """Forward SIGTERM to the loader; return its status."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        os.kill(loader, signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=exit_with_parent, args=[context.parent_pipe], daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(loader, 0)[1])
    if status < 0 and -status != signal.SIGTERM:
        context.termination.report(f"the process that loaded the model {describe_exit(status)}")
    return shell_status(status)


class WorkerManager:
    """Keeps one worker per slot of the table running.

    A worker that dies is replaced, the first one at once, each further one within a minute after
    twice the time. One that dies before it is ready, or the sixth, ends the container, so that
    Kubernetes reports the reason.
    """

    def __init__(self, context: ProcessContext, run_worker: Callable[[int], int]) -> None:
        """Create it. A new process runs `run_worker(number)`."""
        self._slots = context.table.slots
        self._parent_pipe = context.parent_pipe
        self._termination = context.termination
        self._run_worker = run_worker
        self._kill_seconds = context.settings.timeout_seconds + KILL_MARGIN_SECONDS
        self._numbers: dict[int, int] = {}
        self._restart_at: dict[int, float] = {}
        self._deaths: list[float] = []
        self._kill_at: float | None = None
        self._status = 0
        self._reason = ""

    def run(self, running: dict[int, int]) -> int:
        """Start the workers that are not in `running`, which maps processes to numbers.

        Return the exit status once all workers have ended.
        """
        # sigtimedwait instead of handlers: a handler could run between a fork and its bookkeeping.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._numbers |= running
        missing = set(range(len(self._slots))).difference(running.values())
        self._restart_at = dict.fromkeys(missing, 0.0)
        while self._numbers or self._restart_at:
            self._start_due_workers(time.monotonic())
            if self._next_signal() == signal.SIGTERM:
                self._stop()
            if select.select([self._parent_pipe], [], [], 0)[0]:  # see processes.py
                os._exit(1)  # the workers exit as well; a thread here would make forks unsafe
            self._reap()
        if self._reason:
            self._termination.report(self._reason)
        return self._status

    def _start_due_workers(self, now: float) -> None:
        for number in [number for number, at in self._restart_at.items() if at <= now]:
            del self._restart_at[number]
            process = fork(partial(self._run_child, number))
            self._numbers[process] = number

    def _run_child(self, number: int) -> int:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self._run_worker(number)

    def _next_signal(self) -> int | None:
        now = time.monotonic()
        seconds = min([PARENT_CHECK_SECONDS, *(at - now for at in self._restart_at.values())])
        received = signal.sigtimedwait(_SIGNALS, max(seconds, 0.0))
        if self._kill_at is not None and now > self._kill_at:
            self._kill(signal.SIGKILL)
        return None if received is None else received.si_signo

    def _stop(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._kill_seconds
        self._restart_at.clear()
        self._kill(signal.SIGTERM)

    def _kill(self, number: signal.Signals) -> None:
        for process in self._numbers:
            os.kill(process, number)

    def _reap(self) -> None:
        for process in list(self._numbers):  # not any child: user code may start processes
            reaped, wait_status = os.waitpid(process, os.WNOHANG)
            if reaped:
                number = self._numbers.pop(process)
                self._on_exit(number, os.waitstatus_to_exitcode(wait_status), time.monotonic())

    def _on_exit(self, number: int, status: int, now: float) -> None:
        slot = self._slots[number]
        was_ready = slot.ready
        slot.clear()
        if self._kill_at is not None:
            return
        self._deaths = [*(at for at in self._deaths if now - at < DEATH_WINDOW_SECONDS), now]
        count = len(self._deaths)
        if was_ready and count <= MAX_DEATHS:
            pause = 0.0 if count == 1 else BACK_OFF_SECONDS * 2 ** (count - 2)
            logger.error("worker %d %s; starting another one", number, describe_exit(status))
            self._restart_at[number] = now + pause
            return
        self._status = shell_status(status) or 1
        if was_ready:
            deaths = f"{count} workers died within {DEATH_WINDOW_SECONDS:g} s"
            self._reason = f"{deaths}; the last one {describe_exit(status)}"
        elif status < 0:
            self._reason = f"a worker {describe_exit(status)} before it was ready"
        for slot in self._slots:
            slot.ready = False  # no traffic while the calls in flight finish
        self._stop()
