"""One R process: its start, what goes to it and comes from it, its end.

Two pipes lead to it and back. That of requests takes each of up to PACKET bytes as one packet
(O_DIRECT in pipe(2)): R reads it whole or not at all, so what it has not read can be taken back.
"""

import fcntl
import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_SCRIPT = Path(__file__).with_name("worker.R")
# Given as a file it would take R 50 ms more.
_READ = 'eval(parse(Sys.getenv("HARNESS_R_SCRIPT"), keep.source = FALSE, encoding = "UTF-8"))'
_COMMAND = ["Rscript", "--no-init-file", "-e", _READ, "-e", "main()"]
PACKET = 4096  # PIPE_BUF; the same one as in worker.R
_LENGTH = struct.Struct("<d")  # of a longer request
_HEAD = struct.Struct("<ddd")  # length, kind and seconds of an answer
_PIECE = 64 * 1024  # all that a pipe holds; asking for a MiB cost 18 us a call, for its memory

RESULT, CONDITION, HELLO, FAILURE = range(4)  # kinds of answers; the same ones as in worker.R


class EndedError(Exception):
    """The process is gone, or has closed its pipe; `reason()` says how."""


class Answer(NamedTuple):
    """What came back."""

    kind: float
    data: bytes
    seconds: float
    """That R took, by its clock."""


class RProcess:
    """Used by one thread at a time, except for `await_end` and `kill`.

    `room` is the number of packets that may be on their way to it, `answers_from` and `rest_to` are
    descriptors to wait for: an answer, and room for what is left of a long request.
    """

    def __init__(self, label: str, environment: Mapping[str, str]) -> None:
        """Start it; it answers first with HELLO or FAILURE. Raises OSError where R is missing."""
        self._descriptors: list[int] = []
        child_reads, packets = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        answers, child_writes = os.pipe2(os.O_CLOEXEC)
        self._packets, self.answers_from = packets, answers
        self._aside, self._put_aside = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._descriptors += [packets, answers, self._aside, self._put_aside]
        # 2 instead of 16 for a user of very many pipes: pipe-user-pages-soft in pipe(7)
        sizes = (fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) for pipe in (packets, self._aside))
        self.room = min(sizes) // PACKET
        # R's own is left behind, with what the user's code wrote there, when R is killed.
        self._folder = tempfile.mkdtemp(prefix="R-")
        variables = {
            "LANG": "C.UTF-8",
            **environment,
            "TMPDIR": self._folder,
            "HARNESS_R_SCRIPT": str(_SCRIPT),
            "HARNESS_R_FOLDER": self._folder,
            "HARNESS_R_HANDLER": label,
            "HARNESS_R_IN": str(child_reads),
            "HARNESS_R_OUT": str(child_writes),
        }
        try:
            self._process = subprocess.Popen(
                _COMMAND,
                env=variables,
                stdin=subprocess.DEVNULL,
                pass_fds=(child_reads, child_writes),
                process_group=0,  # Ctrl-C is the parent's; and its children can be ended with it
            )
            self._unread = self._again(child_reads, os.O_RDONLY)
        finally:
            os.close(child_reads)
            os.close(child_writes)
        self.rest_to = self._again(packets, os.O_WRONLY)  # without packets
        self._pidfd = os.pidfd_open(self._process.pid)
        self._descriptors.append(self._pidfd)
        for descriptor in (packets, answers):
            os.set_blocking(descriptor, False)
        self._rest = memoryview(b"")
        self._long = False
        self._pieces: list[bytes] = []
        self._missing = 0
        self._killed = ""
        self._ended = threading.Event()

    def _again(self, pipe: int, mode: int) -> int:
        """Open a pipe a second time, for flags of its own."""
        flags = mode | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(f"/proc/self/fd/{pipe}", flags)
        self._descriptors.append(descriptor)
        return descriptor

    def __del__(self) -> None:
        """Give the descriptors back once nobody holds them: not the dispatcher, not the keeper."""
        for descriptor in self._descriptors:
            os.close(descriptor)

    def send(self, request: bytes) -> bool:
        """Return whether all of it is on its way; `send_rest` sends what is left of a long one.

        A long one neither follows another request nor is followed, before the answer.
        """
        self._long = is_long(request)
        if not self._long:
            os.write(self._packets, request)
            return True
        os.write(self._packets, _LENGTH.pack(len(request)))
        self._rest = memoryview(request)
        return self.send_rest()

    def send_rest(self) -> bool:
        """Write what the pipe has room for; return whether that was all. `rest_to` shows room."""
        with suppress(BlockingIOError):
            while self._rest:
                self._rest = self._rest[os.write(self.rest_to, self._rest) :]
        return not self._rest

    def take_back(self) -> int:
        """Return how many requests, the last ones, R has not read and will never see.

        All are moved in one step, between two of R's reads: one by one they would be others.
        """
        count = 0
        if not self._long:
            with suppress(BlockingIOError):
                os.splice(self._unread, self._put_aside, PACKET * self.room)
                while os.read(self._aside, PACKET):
                    count += 1
        return count

    def first_answer(self) -> Answer:
        """Wait for it, however long it takes. Raises EndedError."""
        events = select.poll()
        events.register(self.answers_from, select.POLLIN)
        events.register(self._pidfd, select.POLLIN)
        while True:
            ended = any(descriptor == self._pidfd for descriptor, _ in events.poll())
            if found := self.answers():
                return found[0]
            if ended:
                raise EndedError

    def answers(self) -> list[Answer]:
        """Return those that are there, whole. Raises EndedError if there will be no more."""
        try:
            data = os.read(self.answers_from, _PIECE)
        except BlockingIOError:
            return []
        if not data:
            raise EndedError
        self._pieces.append(data)
        self._missing -= len(data)
        return self._whole_ones() if self._missing <= 0 else []

    def _whole_ones(self) -> list[Answer]:
        data = b"".join(self._pieces)
        found: list[Answer] = []
        at, end = 0, _HEAD.size
        while end <= len(data):
            length, kind, seconds = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + int(length)
            if end > len(data):
                break
            found.append(Answer(kind, data[at + _HEAD.size : end], seconds))
            at, end = end, end + _HEAD.size
        rest = data[at:]
        self._pieces = [rest] if rest else []
        self._missing = end - len(data) if rest else 0
        return found

    def kill(self, why: str) -> None:
        """End it at once. It may be in C code, where nothing else would reach it."""
        if not self._ended.is_set():
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
        """Say how it ended; only after `await_end`."""
        status = self._process.returncode
        if status >= 0:
            return f"the R process ended with status {status}"
        if self._killed:
            return f"the R process was killed: {self._killed}"
        name = signal.Signals(-status).name
        hint = "; out of memory?" if -status == signal.SIGKILL else ""
        return f"the R process was killed by {name}{hint}"


def is_long(request: bytes) -> bool:
    """Whether R gets it in pieces."""
    return len(request) > PACKET
