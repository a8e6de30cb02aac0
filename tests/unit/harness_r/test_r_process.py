"""Requests and answers on the pipes, with a Python program instead of R."""

import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from model_harness_r.pool.process import (
    HELLO,
    PACKET_BYTES,
    RESULT,
    Answer,
    ProcessEndedError,
    RProcess,
)

from tests.support.time_limits import at_most

ANSWERS = [b"", b"x" * 20, b"y" * 200_000, b"z", b"", b"x" * (64 * 1024 - 24)]
SEND_FILE = """
out = int(os.environ["HARNESS_R_OUT"])
data = open("answers", "rb").read()
while data:
    data = data[os.write(out, data[: {piece}]) :]
    time.sleep({pause})
"""
READ_FOREVER = """
into = int(os.environ["HARNESS_R_IN"])
log = open("read", "a", buffering=1)
while data := os.read(into, 4096):
    log.write(f"{len(data)}\\n")
    time.sleep(0.0002)
"""
READ_FUNCTION = """
into = int(os.environ["HARNESS_R_IN"])
def read(size):
    data = os.read(into, size)
    with open("read", "a") as log:
        log.write(f"{len(data)}\\n")
    return data
"""

Start = Callable[[str], RProcess]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a process whose `Rscript` runs the given lines of Python."""
    processes: list[RProcess] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "read").touch()

    def start_process(lines: str) -> RProcess:
        program = tmp_path / "Rscript"
        program.write_text(f"#!{sys.executable}\nimport os, struct, time\n{lines}")
        program.chmod(0o755)
        processes.append(RProcess("f:f", {"PATH": str(tmp_path)}))
        return processes[-1]

    yield start_process
    for process in processes:
        process.kill("the test has ended")
        process.wait()


def lengths(folder: Path, count: int) -> list[int]:
    """Return the sizes of the program's reads once there are `count`."""
    end = time.monotonic() + at_most(10)
    while time.monotonic() < end:
        sizes = [int(line) for line in (folder / "read").read_text().split()]
        if len(sizes) >= count:
            return sizes
        time.sleep(0.01)
    raise AssertionError(sizes)


@pytest.mark.parametrize(("piece", "pause"), [(1 << 20, 0), (7001, 0.001), (65536, 0)])
def test_answers_are_complete_for_any_chunks(
    start: Start, tmp_path: Path, piece: int, pause: float
) -> None:
    heads = [struct.pack("<ddd", len(data), RESULT, 0.5) for data in ANSWERS]
    content = b"".join(head + data for head, data in zip(heads, ANSWERS, strict=True))
    (tmp_path / "answers").write_bytes(content)
    process = start(SEND_FILE.format(piece=piece, pause=pause))
    answers: list[Answer] = []
    with suppress(ProcessEndedError):
        while True:
            answers += process.answers()
    assert answers == [Answer(RESULT, data, 0.5) for data in ANSWERS]


def test_first_answer_is_complete_where_bytes_arrive_singly(start: Start, tmp_path: Path) -> None:
    (tmp_path / "answers").write_bytes(struct.pack("<ddd", 3, HELLO, 0) + b"abc")
    process = start(SEND_FILE.format(piece=1, pause=0.001))
    assert process.first_answer() == Answer(HELLO, b"abc", 0)


def test_first_answer_raises_where_process_ended(start: Start) -> None:
    with pytest.raises(ProcessEndedError):
        start("").first_answer()


def test_reclaim_removes_unread_requests(start: Start, tmp_path: Path) -> None:
    process = start(READ_FUNCTION + "read(4096); read(4096); time.sleep(60)")
    for size in (10, PACKET_BYTES, 20, 30):
        assert process.send(b"x" * size)
    assert lengths(tmp_path, 2) == [10, PACKET_BYTES]
    assert process.reclaim() == 2
    assert process.reclaim() == 0


def test_reclaim_removes_last_requests_while_process_reads(start: Start, tmp_path: Path) -> None:
    process = start(READ_FOREVER)
    sizes = [10, 20, 30, 40, 50, 60, 70]
    read: list[int] = []
    for number in range(300):
        for size in sizes:
            process.send(b"x" * size)
        time.sleep(0.0001 * (number % 13))
        read += sizes[: len(sizes) - process.reclaim()]
    assert lengths(tmp_path, len(read)) == read
    assert len(sizes) < len(read) < 300 * len(sizes)


def test_send_fills_capacity_of_pipe(start: Start) -> None:
    process = start("time.sleep(60)")
    for _ in range(process.capacity):
        process.send(b"x")
    with pytest.raises(BlockingIOError):
        process.send(b"x")
    assert process.reclaim() == process.capacity


def test_long_request_is_sent_as_pipe_empties(start: Start, tmp_path: Path) -> None:
    lines = "n, = struct.unpack('<d', read(4096))\nwhile n > 0: n -= len(read(int(n)))\nread(1)"
    process = start(READ_FUNCTION + lines)
    assert not process.send(b"x" * 1_000_000)
    assert process.reclaim() == 0
    while not process.send_overflow():
        time.sleep(0.001)
    sizes = lengths(tmp_path, 2)
    while sum(sizes[1:]) < 1_000_000:
        sizes = lengths(tmp_path, len(sizes) + 1)
    assert (sizes[0], sum(sizes[1:])) == (8, 1_000_000)
