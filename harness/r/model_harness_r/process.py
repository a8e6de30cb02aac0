"""One R process: its start, one call after the other, its end.

Calls go through two pipes of its own. Beside the answer's pipe a pidfd is watched: the pipe alone
would not end while a process that the user's code started still holds it (measured: 1.7 s late).
"""

import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_SCRIPT = Path(__file__).with_name("worker.R")
_LENGTH = struct.Struct("<i")
_HEAD = struct.Struct("<ii")  # length and kind of an answer
_PIECE = 64 * 1024  # all that a pipe holds; asking for a MiB cost 18 us a call, for its memory
_NONE = -1
CLOSED_SECONDS = 1.0  # between the end of the pipe and that of the process

RESULT, CONDITION, HELLO, FAILURE = range(4)  # kinds of answers; the same ones as in worker.R


class EndedError(Exception):
    """The process is gone; `reason()` says how."""


class OverdueError(Exception):
    """No answer until the deadline. The process is as it was: kill it."""


class Answer(NamedTuple):
    """What came back."""

    kind: int
    data: bytes


class RProcess:
    """Used by one thread at a time, except for `await_end` and `kill`."""

    def __init__(self, label: str, environment: Mapping[str, str]) -> None:
        """Start it; it answers first with HELLO or FAILURE. Raises OSError where R is missing."""
        self._pidfd = _NONE
        child_reads, self._write = os.pipe()
        self._read, child_writes = os.pipe()
        # R's own is left behind, with what the user's code wrote there, when R is killed.
        self._folder = tempfile.mkdtemp(prefix="R-")
        variables = {
            "LANG": "C.UTF-8",
            **environment,
            "TMPDIR": self._folder,
            "HARNESS_R_FOLDER": self._folder,
            "HARNESS_R_HANDLER": label,
            "HARNESS_R_IN": str(child_reads),
            "HARNESS_R_OUT": str(child_writes),
        }
        try:
            self._process = subprocess.Popen(
                ["Rscript", "--no-init-file", str(_SCRIPT)],
                env=variables,
                stdin=subprocess.DEVNULL,
                pass_fds=(child_reads, child_writes),
                process_group=0,  # Ctrl-C is the parent's; and its children can be ended with it
            )
        finally:
            os.close(child_reads)
            os.close(child_writes)
        self._pidfd = os.pidfd_open(self._process.pid)
        os.set_blocking(self._write, False)
        self._killed = ""
        self._ended = threading.Event()
        self._events = select.poll()
        self._events.register(self._read, select.POLLIN)
        self._events.register(self._pidfd, select.POLLIN)
        self._end = select.poll()
        self._end.register(self._pidfd, select.POLLIN)

    def __del__(self) -> None:
        """Give the descriptors back once nobody holds them: not the reader, not the keeper."""
        for descriptor in (self._read, self._write, self._pidfd):
            if descriptor != _NONE:
                os.close(descriptor)

    def gone(self) -> bool:
        """Whether it ended while nobody asked it anything."""
        return bool(self._end.poll(0))

    def ask(self, request: bytes, deadline: float) -> Answer:
        """Send a request and wait. Raises EndedError or OverdueError."""
        self._send(_LENGTH.pack(len(request)) + request, deadline)
        return self.receive(deadline)

    def receive(self, deadline: float | None) -> Answer:
        """Wait for an answer until `deadline`, in time.perf_counter's seconds."""
        data = self._some(deadline)
        while len(data) < _HEAD.size:
            data += self._some(deadline)
        length, kind = _HEAD.unpack_from(data)
        if len(data) == _HEAD.size + length:
            return Answer(kind, data[_HEAD.size :])
        pieces, missing = [data[_HEAD.size :]], length + _HEAD.size - len(data)
        while missing > 0:
            pieces.append(self._some(deadline))
            missing -= len(pieces[-1])
        return Answer(kind, b"".join(pieces))

    def kill(self, why: str) -> None:
        """End it at once. It may be in C code, where nothing else would reach it."""
        self._killed = why
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def await_end(self) -> None:
        """Return once it ended; with it goes what it left behind: processes, temporary files."""
        os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # not yet reaped: the id is still its own
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._ended.set()

    def reason(self) -> str:
        """Say how it ended. Waits for `await_end`, which another thread is in."""
        if not self._ended.wait(CLOSED_SECONDS):
            self.kill("it closed its pipe")  # and lives on, of no use any more
            self._ended.wait()
        status = self._process.returncode
        if status >= 0:
            return f"the R process ended with status {status}"
        if self._killed:
            return f"the R process was killed: {self._killed}"
        name = signal.Signals(-status).name
        hint = "; out of memory?" if -status == signal.SIGKILL else ""
        return f"the R process was killed by {name}{hint}"

    def _send(self, data: bytes, deadline: float) -> None:
        """Write all of it; what is larger than the pipe goes as R reads it."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._write, rest) :]
            except BlockingIOError:
                self._await_room(deadline)
            except BrokenPipeError:
                raise EndedError from None

    def _await_room(self, deadline: float) -> None:
        events = select.poll()
        events.register(self._write, select.POLLOUT)
        events.register(self._pidfd, select.POLLIN)
        ready = events.poll(_milliseconds(deadline))
        if not ready:
            raise OverdueError
        if any(descriptor == self._pidfd for descriptor, _ in ready):
            raise EndedError

    def _some(self, deadline: float | None) -> bytes:
        ready = self._events.poll(None if deadline is None else _milliseconds(deadline))
        if not ready:
            raise OverdueError
        # An answer that was written before the end is still one.
        if any(descriptor == self._read for descriptor, _ in ready):
            data = os.read(self._read, _PIECE)
            if data:
                return data
        raise EndedError


def _milliseconds(deadline: float) -> int:
    return max(0, int((deadline - time.perf_counter()) * 1000) + 1)
