"""Run Granian without an event loop. The only module that uses Granian's internals.

Performance-critical, see docs/adr/0003-harness-server.md. Granian parses HTTP in Rust, outside the
GIL, and runs callbacks in a pool of Python threads. In its RSGI mode these only wake an asyncio
loop in another thread, which halves the throughput of a fast function. Here the threads of the
pool drive the coroutines themselves. The classes are those that `granian.server.embed` uses, but
not a documented interface: the lock file pins the version, and `start` verifies that all threads
run.
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
from model_harness.http.app import GranianProtocol
from model_harness.http.granian_core import (
    CallbackScheduler,
    HTTP1Settings,
    ListenerSpec,
    RSGIWorker,
    WorkerSignal,
)
from model_harness.observability.internal_requests import INTERNAL_REQUEST_ID
from model_harness.settings import Settings

if TYPE_CHECKING:
    from granian.rsgi import Scope

MAX_CONNECTIONS = 4096  # an idle one costs 2.3 KiB
# Longer than Traefik keeps idle connections (90 s): the client must close first, otherwise it may
# send a request on a connection that is being closed.
IDLE_MILLISECONDS = 120_000
THREAD_IDLE_SECONDS = 10 * 365 * 86400  # never: the pool would be slow to restart a thread
START_TIMEOUT_SECONDS = 5.0
PROBE_INTERVAL_SECONDS = 0.0005  # the pool starts at most one thread per 350 us
PROBE_REQUEST = (
    f"GET / HTTP/1.1\r\nHost: harness\r\nX-Request-Id: {INTERNAL_REQUEST_ID}\r\n"
    "Connection: close\r\n\r\n"
).encode()

RequestHandler = Callable[["Scope", GranianProtocol], Coroutine["_Future", None, None]]


class _Future(Protocol):
    def add_done_callback(self, callback: Callable[["_Future"], None]) -> None: ...

    def cancelled(self) -> bool: ...


class _Watcher(Protocol):
    scope: "Scope"
    proto: GranianProtocol


class _Worker(Protocol):
    def serve_mtr(
        self, scheduler: CallbackScheduler, loop: "_DirectLoop", stop: WorkerSignal
    ) -> None: ...


_MakeWorker = Callable[..., _Worker]


class _DirectLoop:
    """Replaces the asyncio loop that Granian expects: runs each callback at once, in its thread."""

    # Implemented in C, and so called without `self`.
    call_soon: ClassVar[Callable[..., object]] = operator.call
    call_soon_threadsafe: ClassVar[Callable[..., object]] = operator.call


def _step(
    coroutine: Coroutine[_Future, None, None],
    done: _Future | None = None,
    context: object = None,  # noqa: ARG001 - part of asyncio's signature; contexts are not used
) -> None:
    """Run a coroutine to its next await, and resume it when the future is done.

    A cancelled future closes it, which drops the body, and Granian then closes the connection.
    """
    if done is not None and done.cancelled():
        coroutine.close()
        return
    try:
        future = coroutine.send(None)
    except StopIteration:
        return
    future.add_done_callback(partial(_step, coroutine))


class _Scheduler(CallbackScheduler):
    """Granian calls `_schedule_fn` for each request, in a thread of its pool."""

    def __init__(
        self, _loop: _DirectLoop, schedule: Callable[[_Watcher], None], *_unused: None
    ) -> None:
        super().__init__()
        self._schedule_fn = schedule


class Server:
    """Listens and runs `handle` for each request in one of its threads."""

    def __init__(self, settings: Settings, handle: RequestHandler) -> None:
        self._settings = settings
        self._handle = handle
        self._signal = WorkerSignal()
        self._stopped = threading.Event()
        self._threads = settings.threads + 1  # one is always free: see runtime/scheduler.py
        self._thread_ids: set[int] = set()
        self._all_started = threading.Event()
        self._is_starting = True

    def start(self) -> None:
        """Listen, and return once every thread runs. Raise StartupError.

        Other workers may listen on the same port.
        """
        settings = self._settings
        try:
            listener = ListenerSpec(settings.host, settings.port, MAX_CONNECTIONS)
            listener.build()
        except OSError as error:
            raise _cannot_listen(settings, error) from error
        self._signal.add_cb(self._stopped.set)
        loop = _DirectLoop()
        worker = cast("_MakeWorker", RSGIWorker)(  # the stub of Granian lacks two arguments
            1,  # worker id in Granian's log
            (listener, None),
            None,  # no IPC with other workers
            1,  # Rust thread for HTTP
            1,  # thread for static files, which are not used
            self._threads,
            THREAD_IDLE_SECONDS,
            MAX_CONNECTIONS,
            "1",
            HTTP1Settings(header_read_timeout=IDLE_MILLISECONDS),
            None,  # no HTTP/2
            False,  # no websockets
            None,  # no static files
            *(False, None, None, None, "tls1.3", None, [], False),  # no TLS
            (None, None),  # no metrics
        )
        # The multi-threaded runtime, though with one thread: our threads wake it only if it
        # sleeps, while the single-threaded one makes a system call per body and response.
        worker.serve_mtr(_Scheduler(loop, self._schedule, None, None, None), loop, self._signal)
        self._await_threads()

    def stop(self, seconds: float) -> bool:
        """Close the listener and drain; return whether that ended within `seconds`."""
        self._signal.set()
        return self._stopped.wait(seconds)

    def _schedule(self, watcher: _Watcher) -> None:
        if self._is_starting:
            self._count_thread()
        _step(self._handle(watcher.scope, watcher.proto))

    def _count_thread(self) -> None:
        self._thread_ids.add(threading.get_ident())
        if len(self._thread_ids) >= self._threads:
            self._is_starting = False
            self._all_started.set()
        self._all_started.wait(START_TIMEOUT_SECONDS)

    def _await_threads(self) -> None:
        """Send requests, each of which blocks its thread until the last thread has started.

        The pool starts another thread only when requests queue up; that would be too late, with
        the first threads in slow calls. Other workers on the same port receive some of the
        connections and answer them, so the loop opens as many as it takes.
        """
        connections = []
        end = time.monotonic() + START_TIMEOUT_SECONDS
        try:
            while not self._all_started.wait(PROBE_INTERVAL_SECONDS) and time.monotonic() < end:
                connection = socket.create_connection(
                    self._settings.local_address, START_TIMEOUT_SECONDS
                )
                connections.append(connection)
                connection.sendall(PROBE_REQUEST)
        except OSError as error:
            message = f"the HTTP server does not answer on port {self._settings.port}: {error}"
            raise StartupError(message) from error
        finally:
            for connection in connections:
                connection.close()
        if not self._all_started.is_set():
            message = (
                f"the HTTP server did not start its {self._threads} threads; "
                "is the version of Granian the pinned one?"
            )
            raise StartupError(message)


def check_port(settings: Settings) -> None:
    """Raise StartupError where another process listens.

    Granian shares its port with any other Granian (SO_REUSEPORT) and so reports no conflict.
    """
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        raise _cannot_listen(settings, error) from error


def _cannot_listen(settings: Settings, error: OSError) -> StartupError:
    reason = os.strerror(error.errno or 0)
    return StartupError(f"cannot listen on {settings.host}:{settings.port}: {reason}")
