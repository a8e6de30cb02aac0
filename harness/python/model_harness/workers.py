"""Several processes that serve the same function: loaded once, then forked.

Three kinds of process stand between the parent and an answer:

    parent (health) - guard - loader - worker 0, worker 1, ...

The loader imports the user's code, freezes what the garbage collector would otherwise touch, and
forks the workers, which share its memory for as long as nobody writes to it. It stays, and forks
another one for a worker that died. A fork has only the thread that forks: where loading started
threads the loader must not fork. It becomes worker 0 itself then, and the guard, which has loaded
nothing, forks the others, each of which loads by itself.
"""

import gc
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from model_harness import last_words, log, worker
from model_harness.errors import StartupError
from model_harness.log import logger
from model_harness.processes import Load, end_with_parent, ending, fork, shell_status
from model_harness.server import check_port
from model_harness.settings import Settings
from model_harness.shared import Board

# Pools of threads that mathematical libraries start while they are imported. Several processes
# have the cores busy without them; who sets one of these gets threads, and workers that load alone.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

MOST_DEATHS = 5  # within the time below; with more of them the container ends
DEATHS_SECONDS = 60.0
BACK_OFF_SECONDS = 1.0  # before the second replacement; doubled for each further one
LOOK_SECONDS = 1.0  # between looks whether the parent is alive
KILL_EXTRA_SECONDS = 10.0  # over a call's time; a worker that has not ended then is killed

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


def main(settings: Settings, parent_alive: int, load: Load, board: Board) -> int:
    """Be the guard: serve until SIGTERM; return the exit status."""
    log.configure()
    for variable in ONE_THREAD:
        os.environ.setdefault(variable, "1")
    try:
        check_port(settings)
    except StartupError as error:
        return worker.told(error)
    serve = partial(worker.main, settings, parent_alive)
    reads, writes = os.pipe()
    loader = fork(partial(_load_and_serve, settings, parent_alive, load, board, serve, writes))
    os.close(writes)
    if os.read(reads, 1) == _ALONE:
        keeper = Keeper(settings, board, parent_alive, lambda number: serve(load, board, number))
        return keeper.run({loader: 0})
    return _follow(loader, parent_alive)


_SHARED, _ALONE = b"s", b"a"
_Serve = Callable[[Load, Board, int], int]


def _load_and_serve(
    settings: Settings, parent_alive: int, load: Load, board: Board, serve: _Serve, verdict: int
) -> int:
    """Be the loader."""
    try:
        handler = load(settings)
    except StartupError as error:
        return worker.told(error)
    threads = len(os.listdir("/proc/self/task")) - 1
    if threads:
        logger.info(
            "loading started %d threads, which a fork would lose: each worker loads by itself",
            threads,
        )
        os.write(verdict, _ALONE)
        return serve(lambda _: handler, board, 0)
    os.write(verdict, _SHARED)
    gc.collect()
    gc.freeze()
    keeper = Keeper(
        settings, board, parent_alive, lambda number: serve(lambda _: handler, board, number)
    )
    return keeper.run({})


def _follow(loader: int, parent_alive: int) -> int:
    """Pass SIGTERM on to the loader, and end as it does."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        os.kill(loader, signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, args=[parent_alive], daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(loader, 0)[1])
    if status < 0 and -status != signal.SIGTERM:
        last_words.say(f"the process that loaded the model {ending(status)}")
    return shell_status(status)


class Keeper:
    """Keeps a process running for each row of the board.

    A worker that dies is replaced, the first one at once, each further one within a minute after
    twice the time. One that dies before it is ready, or the sixth, ends the container, so that
    Kubernetes sees it and tells the reason.
    """

    def __init__(
        self,
        settings: Settings,
        board: Board,
        parent_alive: int,
        be_worker: Callable[[int], int],
    ) -> None:
        """`be_worker(number)` is what a new process does."""
        self._board = board
        self._parent_alive = parent_alive
        self._be_worker = be_worker
        self._kill_seconds = settings.timeout_seconds + KILL_EXTRA_SECONDS
        self._numbers: dict[int, int] = {}
        self._due: dict[int, float] = {}
        self._deaths: list[float] = []
        self._kill_at: float | None = None
        self._status = 0
        self._reason = ""

    def run(self, running: dict[int, int]) -> int:
        """Start who is not in `running` (process: number); return the status once all ended."""
        # Waited for, instead of handled: a handler could come between a fork and its bookkeeping.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._numbers |= running
        missing = set(range(len(self._board.rows))).difference(running.values())
        self._due = dict.fromkeys(missing, 0.0)
        while self._numbers or self._due:
            self._start_due(time.monotonic())
            if self._next_signal() == signal.SIGTERM:
                self._stop()
            if select.select([self._parent_alive], [], [], 0)[0]:  # at its end: see processes.py
                os._exit(1)  # the workers see it, too; a thread here would make forks unsafe
            self._reap()
        if self._reason:
            last_words.say(self._reason)
        return self._status

    def _start_due(self, now: float) -> None:
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            process = fork(partial(self._be_child, number))
            self._numbers[process] = number

    def _be_child(self, number: int) -> int:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self._be_worker(number)

    def _next_signal(self) -> int | None:
        now = time.monotonic()
        seconds = min([LOOK_SECONDS, *(due - now for due in self._due.values())])
        found = signal.sigtimedwait(_SIGNALS, max(seconds, 0.0))
        if self._kill_at is not None and now > self._kill_at:
            self._kill(signal.SIGKILL)
        return None if found is None else found.si_signo

    def _stop(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._kill_seconds
        self._due.clear()
        self._kill(signal.SIGTERM)

    def _kill(self, number: signal.Signals) -> None:
        for process in self._numbers:
            os.kill(process, number)

    def _reap(self) -> None:
        for process in list(self._numbers):  # not just any child: the user's code may have its own
            found, waited = os.waitpid(process, os.WNOHANG)
            if found:
                number = self._numbers.pop(process)
                self._ended(number, os.waitstatus_to_exitcode(waited), time.monotonic())

    def _ended(self, number: int, status: int, now: float) -> None:
        row = self._board.rows[number]
        was_ready = row.ready
        row.clear()
        if self._kill_at is not None:
            return
        self._deaths = [*(at for at in self._deaths if now - at < DEATHS_SECONDS), now]
        count = len(self._deaths)
        if was_ready and count <= MOST_DEATHS:
            pause = 0.0 if count == 1 else BACK_OFF_SECONDS * 2 ** (count - 2)
            logger.error("worker %d %s; another one takes its place", number, ending(status))
            self._due[number] = now + pause
            return
        self._status = shell_status(status) or 1
        if was_ready:
            often = f"{count} workers died within {DEATHS_SECONDS:g} s; the last one"
            self._reason = f"{often} {ending(status)}"
        elif status < 0:
            self._reason = f"a worker {ending(status)} before it was ready"
        for other in self._board.rows:
            other.ready = False  # no traffic while what is in flight is finished
        self._stop()
