"""One R process: its start, its requests and answers, its end.

Performance-critical, see docs/adr/0023-r-behind-the-same-server.md. Two pipes connect it. The pipe
of requests carries each request of up to PACKET_BYTES as one packet (O_DIRECT in pipe(2)): R reads
it completely or not at all, so unread requests can be reclaimed.
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

from model_harness.runtime.processes import describe_exit

_SCRIPT = Path(__file__).with_name("worker.R")
# Passing the script as a file would take R 50 ms more.
_EVAL_SCRIPT = (
    'eval(parse(Sys.getenv("HARNESS_R_SCRIPT"), keep.source = FALSE, encoding = "UTF-8"))'
)
_COMMAND = ["Rscript", "--no-init-file", "-e", _EVAL_SCRIPT, "-e", "main()"]
PACKET_BYTES = 4096  # PIPE_BUF; the same as in worker.R
_LENGTH = struct.Struct("<d")  # of a longer request
_HEAD = struct.Struct("<ddd")  # length, kind and seconds of an answer
_READ_BYTES = 64 * 1024  # the capacity of a pipe; a buffer of 1 MiB costs 18 us per call

RESULT, CONDITION, HELLO, FAILURE = range(4)  # kinds of answers; the same as in worker.R


class ProcessEndedError(Exception):
    """Raised when the process has ended or closed its pipe; `exit_reason()` has the reason."""


class Answer(NamedTuple):
    """One answer of R."""

    kind: float
    data: bytes
    seconds: float
    """The duration of the call by R's clock."""


class RProcess:
    """Used by one thread at a time, except for `wait` and `kill`.

    `capacity` is the number of packets that fit into the pipe. `answer_fd` and `overflow_fd` are
    file descriptors to poll: for an answer, and for space for the rest of a long request.
    """

    def __init__(self, label: str, environment: Mapping[str, str]) -> None:
        """Start it. Its first answer is HELLO or FAILURE. Raise OSError where R is missing."""
        self._descriptors: list[int] = []
        request_read_fd, packet_fd = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        answer_fd, answer_write_fd = os.pipe2(os.O_CLOEXEC)
        self._packet_fd, self.answer_fd = packet_fd, answer_fd
        self._discard_fd, self._discard_write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._descriptors += [packet_fd, answer_fd, self._discard_fd, self._discard_write_fd]
        # 2 instead of 16 for a user with very many pipes: pipe-user-pages-soft in pipe(7)
        sizes = (fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) for fd in (packet_fd, self._discard_fd))
        self.capacity = min(sizes) // PACKET_BYTES
        # R does not remove its temporary folder when it is killed.
        self._folder = tempfile.mkdtemp(prefix="R-")
        variables = {
            "LANG": "C.UTF-8",
            **environment,
            "TMPDIR": self._folder,
            "HARNESS_R_SCRIPT": str(_SCRIPT),
            "HARNESS_R_FOLDER": self._folder,
            "HARNESS_R_HANDLER": label,
            "HARNESS_R_IN": str(request_read_fd),
            "HARNESS_R_OUT": str(answer_write_fd),
        }
        try:
            self._process = subprocess.Popen(
                _COMMAND,
                env=variables,
                stdin=subprocess.DEVNULL,
                pass_fds=(request_read_fd, answer_write_fd),
                process_group=0,  # Ctrl-C is for the parent; and `wait` kills the whole group
            )
            self._peek_fd = self._reopen(request_read_fd, os.O_RDONLY)
        finally:
            os.close(request_read_fd)
            os.close(answer_write_fd)
        self.overflow_fd = self._reopen(packet_fd, os.O_WRONLY)  # without O_DIRECT
        self._pidfd = os.pidfd_open(self._process.pid)
        self._descriptors.append(self._pidfd)
        for descriptor in (packet_fd, answer_fd):
            os.set_blocking(descriptor, False)
        self._overflow = memoryview(b"")
        self._is_long = False
        self._chunks: list[bytes] = []
        self._missing_bytes = 0
        self._kill_reason = ""
        self._ended = threading.Event()

    def _reopen(self, pipe: int, mode: int) -> int:
        """Open a pipe a second time, with other flags."""
        flags = mode | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(f"/proc/self/fd/{pipe}", flags)
        self._descriptors.append(descriptor)
        return descriptor

    def __del__(self) -> None:
        """Close the file descriptors once neither the dispatcher nor the pool uses them."""
        for descriptor in self._descriptors:
            os.close(descriptor)

    def send(self, request: bytes) -> bool:
        """Send a request; return False where `send_overflow` must send the rest of a long one.

        A long request must not be pipelined.
        """
        self._is_long = is_long(request)
        if not self._is_long:
            os.write(self._packet_fd, request)
            return True
        os.write(self._packet_fd, _LENGTH.pack(len(request)))
        self._overflow = memoryview(request)
        return self.send_overflow()

    def send_overflow(self) -> bool:
        """Write what fits into the pipe; return whether that was all. Poll `overflow_fd`."""
        with suppress(BlockingIOError):
            while self._overflow:
                self._overflow = self._overflow[os.write(self.overflow_fd, self._overflow) :]
        return not self._overflow

    def reclaim(self) -> int:
        """Remove the unread requests from the pipe; return their number.

        `splice` moves all of them between two reads of R; one by one R could read in between.
        """
        count = 0
        if not self._is_long:
            with suppress(BlockingIOError):
                os.splice(self._peek_fd, self._discard_write_fd, PACKET_BYTES * self.capacity)
                while os.read(self._discard_fd, PACKET_BYTES):
                    count += 1
        return count

    def first_answer(self) -> Answer:
        """Wait for the first answer without a time limit. Raise ProcessEndedError."""
        events = select.poll()
        events.register(self.answer_fd, select.POLLIN)
        events.register(self._pidfd, select.POLLIN)
        while True:
            has_ended = any(descriptor == self._pidfd for descriptor, _ in events.poll())
            if answers := self.answers():
                return answers[0]
            if has_ended:
                raise ProcessEndedError

    def answers(self) -> list[Answer]:
        """Return the complete answers. Raise ProcessEndedError if there will be no more."""
        try:
            data = os.read(self.answer_fd, _READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise ProcessEndedError
        self._chunks.append(data)
        self._missing_bytes -= len(data)
        return self._split_answers() if self._missing_bytes <= 0 else []

    def _split_answers(self) -> list[Answer]:
        data = b"".join(self._chunks)
        answers: list[Answer] = []
        start, end = 0, _HEAD.size
        while end <= len(data):
            length, kind, seconds = _HEAD.unpack_from(data, start)
            end = start + _HEAD.size + int(length)
            if end > len(data):
                break
            answers.append(Answer(kind, data[start + _HEAD.size : end], seconds))
            start, end = end, end + _HEAD.size
        incomplete = data[start:]
        self._chunks = [incomplete] if incomplete else []
        self._missing_bytes = end - len(data) if incomplete else 0
        return answers

    def kill(self, reason: str) -> None:
        """Kill the process. It may run C code, which ignores every other request to stop."""
        if not self._ended.is_set():
            self._kill_reason = reason
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def wait(self) -> None:
        """Wait for the end; then kill the processes and remove the files that R left behind."""
        os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # not reaped yet: the id is still valid
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._ended.set()

    def exit_reason(self) -> str:
        """Describe how the process ended. Call this only after `wait`."""
        status = self._process.returncode
        if status < 0 and self._kill_reason:
            return f"the R process was killed: {self._kill_reason}"
        return f"the R process {describe_exit(status)}"


def is_long(request: bytes) -> bool:
    """Return whether a request is longer than one packet."""
    return len(request) > PACKET_BYTES
