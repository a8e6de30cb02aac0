"""Granian, without an event loop: the only module that knows Granian from the inside.

Granian parses HTTP in Rust, outside the GIL, and runs callbacks in a pool of Python threads. In its
own RSGI mode these only wake an asyncio loop in yet another thread, which halves the throughput of
a quick function. Here the pool's threads step the coroutines themselves. The classes used are
Granian's own building blocks (`granian.server.embed` is made of them), but not its documented
interface: the lock file pins the version, and `start` proves that all threads are there.
"""

import operator
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from model_harness.errors import StartupError
from model_harness.front import GranianProtocol
from model_harness.granian_core import (
    CallbackScheduler,
    HTTP1Settings,
    ListenerSpec,
    RSGIWorker,
    WorkerSignal,
)
from model_harness.identity import HARNESS_ID
from model_harness.settings import Settings

if TYPE_CHECKING:
    from granian.rsgi import Scope

CONNECTIONS = 1024
# Longer than Traefik keeps idle connections (90 s): whoever closes first must be the side that
# sends, or a request meets a connection that is just being closed.
IDLE_MILLISECONDS = 120_000
NEVER_SECONDS = 10 * 365 * 86400
START_SECONDS = 5.0
PROOF_SECONDS = 0.0005  # between connections; the pool starts at most one thread in 350 us
PROOF = (
    f"GET / HTTP/1.1\r\nHost: harness\r\nX-Request-Id: {HARNESS_ID}\r\nConnection: close\r\n\r\n"
).encode()

App = Callable[["Scope", GranianProtocol], Coroutine["_Future", None, None]]


class _Future(Protocol):
    def add_done_callback(self, callback: Callable[["_Future"], None]) -> None: ...


class _Watcher(Protocol):
    scope: "Scope"
    proto: GranianProtocol


class _Worker(Protocol):
    def serve_mtr(
        self, scheduler: CallbackScheduler, loop: "_DirectLoop", stop: WorkerSignal
    ) -> None: ...


_MakeWorker = Callable[..., _Worker]


class _DirectLoop:
    """Stands where Granian expects an asyncio loop: a callback is run at once, where it is."""

    # Of C, and so without `self`.
    call_soon: ClassVar[Callable[..., object]] = operator.call
    call_soon_threadsafe: ClassVar[Callable[..., object]] = operator.call


def _step(
    coroutine: Coroutine[_Future, None, None],
    _done: _Future | None = None,
    context: object = None,  # noqa: ARG001 - asyncio's argument; there are no contexts here
) -> None:
    """Drive a coroutine to its next await, and on when that is done."""
    try:
        future = coroutine.send(None)
    except StopIteration:
        return
    future.add_done_callback(partial(_step, coroutine))


class _Scheduler(CallbackScheduler):
    """Called by Granian for each request, in a thread of its pool."""

    def __init__(
        self, _loop: _DirectLoop, schedule: Callable[[_Watcher], None], *_unused: None
    ) -> None:
        super().__init__()
        self._schedule_fn = schedule


class Server:
    """Listens, and calls `app` for each request in one of its threads."""

    def __init__(self, settings: Settings, app: App) -> None:
        """Nothing listens yet."""
        self._settings = settings
        self._app = app
        self._signal = WorkerSignal()
        self._stopped = threading.Event()
        self._threads = settings.threads + 1  # one for all that is not the function: see calls.py
        self._seen: set[int] = set()
        self._all = threading.Event()
        self._counting = True

    def start(self) -> None:
        """Listen, beside other workers. Returns once every thread is there. Raises StartupError."""
        settings = self._settings
        try:
            listener = ListenerSpec(settings.host, settings.port, CONNECTIONS)
            listener.build()
        except OSError as error:
            raise _cannot_listen(settings, error) from error
        self._signal.add_cb(self._stopped.set)
        loop = _DirectLoop()
        worker = cast("_MakeWorker", RSGIWorker)(  # Granian's stub lacks two of its arguments
            1,  # its number in Granian's log
            (listener, None),
            None,  # no channel to other workers
            1,  # thread for HTTP, in Rust
            1,  # thread for files, of which there are none
            self._threads,
            NEVER_SECONDS,  # until an idle thread ends: the pool would be slow to start it again
            CONNECTIONS,
            "1",
            HTTP1Settings(header_read_timeout=IDLE_MILLISECONDS),
            None,  # no HTTP/2
            False,  # no websockets
            None,  # no static files
            *(False, None, None, None, "tls1.3", None, [], False),  # no TLS
            (None, None),  # no metrics
        )
        # The runtime for several threads, though with one: from ours it is woken only if it sleeps,
        # while the runtime for one thread makes a system call for each body and each answer.
        worker.serve_mtr(_Scheduler(loop, self._schedule, None, None, None), loop, self._signal)
        self._prove_threads()

    def stop(self, seconds: float) -> bool:
        """Take no more connections, finish what is in flight; whether that was done in time."""
        self._signal.set()
        return self._stopped.wait(seconds)

    def _schedule(self, watcher: _Watcher) -> None:
        if self._counting:
            self._count_thread()
        _step(self._app(watcher.scope, watcher.proto))

    def _count_thread(self) -> None:
        self._seen.add(threading.get_ident())
        if len(self._seen) >= self._threads:
            self._counting = False
            self._all.set()
        self._all.wait(START_SECONDS)

    def _prove_threads(self) -> None:
        """Hold each thread until the last one shows up.

        The pool starts a further thread only once requests queue up; then it would be too late,
        with the first ones in slow calls. Other workers on the same port get a part of the
        connections, and answer them; so there are as many as it takes.
        """
        connections = []
        end = time.monotonic() + START_SECONDS
        try:
            while not self._all.wait(PROOF_SECONDS) and time.monotonic() < end:
                connection = socket.create_connection(self._settings.front, START_SECONDS)
                connections.append(connection)
                connection.sendall(PROOF)
        except OSError as error:
            message = f"the front does not answer on port {self._settings.port}: {error}"
            raise StartupError(message) from error
        finally:
            for connection in connections:
                connection.close()
        if not self._all.is_set():
            message = f"the server did not start its {self._threads} threads; was Granian changed?"
            raise StartupError(message)


def check_port(settings: Settings) -> None:
    """Raise StartupError where somebody else listens.

    Granian shares its port with any other Granian (SO_REUSEPORT), so it would not notice.
    """
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        raise _cannot_listen(settings, error) from error


def _cannot_listen(settings: Settings, error: OSError) -> StartupError:
    reason = os.strerror(error.errno or 0)
    return StartupError(f"cannot listen on {settings.host}:{settings.port}: {reason}")
