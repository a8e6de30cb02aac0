"""Requests and answers on the pipes, with a program in R's place."""

import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from model_harness_r.process import HELLO, PACKET, RESULT, Answer, EndedError, RProcess

ANSWERS = [b"", b"x" * 20, b"y" * 200_000, b"z", b"", b"x" * (64 * 1024 - 24)]
SAYS = """
out = int(os.environ["HARNESS_R_OUT"])
data = open("said", "rb").read()
while data:
    data = data[os.write(out, data[: {piece}]) :]
    time.sleep({pause})
"""
READS_ON = """
into = int(os.environ["HARNESS_R_IN"])
log = open("read", "a", buffering=1)
while data := os.read(into, 4096):
    log.write(f"{len(data)}\\n")
    time.sleep(0.0002)
"""
READS = """
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
    """Start a process whose `Rscript` is the lines given, of Python."""
    made: list[RProcess] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "read").touch()

    def started(lines: str) -> RProcess:
        program = tmp_path / "Rscript"
        program.write_text(f"#!{sys.executable}\nimport os, struct, time\n{lines}")
        program.chmod(0o755)
        made.append(RProcess("f:f", {"PATH": str(tmp_path)}))
        return made[-1]

    yield started
    for process in made:
        process.kill("the test is over")
        process.await_end()


def lengths(folder: Path, count: int) -> list[int]:
    """What the program has read, once these are so many reads."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = [int(line) for line in (folder / "read").read_text().split()]
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError(found)


@pytest.mark.parametrize(("piece", "pause"), [(1 << 20, 0), (7001, 0.001), (65536, 0)])
def test_answers_are_whole_however_they_come(
    start: Start, tmp_path: Path, piece: int, pause: float
) -> None:
    heads = [struct.pack("<ddd", len(data), RESULT, 0.5) for data in ANSWERS]
    said = b"".join(head + data for head, data in zip(heads, ANSWERS, strict=True))
    (tmp_path / "said").write_bytes(said)
    process = start(SAYS.format(piece=piece, pause=pause))
    found: list[Answer] = []
    with suppress(EndedError):
        while True:
            found += process.answers()
    assert found == [Answer(RESULT, data, 0.5) for data in ANSWERS]


def test_what_is_read_one_byte_at_a_time(start: Start, tmp_path: Path) -> None:
    (tmp_path / "said").write_bytes(struct.pack("<ddd", 3, HELLO, 0) + b"abc")
    process = start(SAYS.format(piece=1, pause=0.001))
    assert process.first_answer() == Answer(HELLO, b"abc", 0)


def test_a_process_that_says_nothing_has_ended(start: Start) -> None:
    with pytest.raises(EndedError):
        start("").first_answer()


def test_what_was_not_read_comes_back(start: Start, tmp_path: Path) -> None:
    process = start(READS + "read(4096); read(4096); time.sleep(60)")
    for size in (10, PACKET, 20, 30):
        assert process.send(b"x" * size)
    assert lengths(tmp_path, 2) == [10, PACKET]
    assert process.take_back() == 2
    assert process.take_back() == 0


def test_what_comes_back_are_the_last_ones_while_it_reads_on(start: Start, tmp_path: Path) -> None:
    process = start(READS_ON)
    sizes = [10, 20, 30, 40, 50, 60, 70]
    read: list[int] = []
    for number in range(300):
        for size in sizes:
            process.send(b"x" * size)
        time.sleep(0.0001 * (number % 13))
        read += sizes[: len(sizes) - process.take_back()]
    found = lengths(tmp_path, len(read))
    assert found == read
    assert len(sizes) < len(read) < 300 * len(sizes)


def test_as_much_as_the_pipe_has_room_for(start: Start) -> None:
    process = start("time.sleep(60)")
    for _ in range(process.room):
        process.send(b"x")
    with pytest.raises(BlockingIOError):
        process.send(b"x")
    assert process.take_back() == process.room


def test_a_long_one_follows_its_length_as_the_pipe_has_room(start: Start, tmp_path: Path) -> None:
    lines = "n, = struct.unpack('<d', read(4096))\nwhile n > 0: n -= len(read(int(n)))\nread(1)"
    process = start(READS + lines)
    assert not process.send(b"x" * 1_000_000)
    assert process.take_back() == 0
    while not process.send_rest():
        time.sleep(0.001)
    found = lengths(tmp_path, 2)
    while sum(found[1:]) < 1_000_000:
        found = lengths(tmp_path, len(found) + 1)
    assert (found[0], sum(found[1:])) == (8, 1_000_000)
