"""What the processes of a container know of each other: numbers in memory that they share.

The memory is mapped once, before the first fork. Every worker writes to a row of its own with plain
stores and reads the others' without a lock; the parent only reads. All numbers are doubles, which
count exactly up to 2**53, and aligned, so that no half-written one is ever seen.
"""

import mmap

from model_harness.metrics import CELLS

LINE_BYTES = 64  # of a processor's cache; two workers that write to one line would slow each other
CELL_BYTES = 8

READY, HEARTBEAT, IN_FLIGHT = range(3)
COUNTERS = 3  # from here on the cells are those of metrics.py


class Row:
    """One worker's cells."""

    def __init__(self, cells: "memoryview[float]") -> None:
        """`cells` are doubles."""
        self.cells = cells
        self.counters = cells[COUNTERS : COUNTERS + CELLS]

    @property
    def ready(self) -> bool:
        """Whether the worker's function is loaded and its front listens."""
        return bool(self.cells[READY])

    @ready.setter
    def ready(self, value: bool) -> None:
        self.cells[READY] = float(value)

    @property
    def heartbeat(self) -> float:
        """When the worker last showed that its interpreter runs, in time.monotonic's seconds."""
        return float(self.cells[HEARTBEAT])

    @heartbeat.setter
    def heartbeat(self, value: float) -> None:
        self.cells[HEARTBEAT] = value

    @property
    def in_flight(self) -> int:
        """How many calls the worker has taken and not answered."""
        return int(self.cells[IN_FLIGHT])

    @in_flight.setter
    def in_flight(self, value: int) -> None:
        self.cells[IN_FLIGHT] = value

    def clear(self) -> None:
        """Its worker is gone. What it counted stays: counters never fall."""
        self.cells[READY] = self.cells[IN_FLIGHT] = 0.0


class Board:
    """The rows of all workers."""

    def __init__(self, workers: int) -> None:
        """Map the memory; to be called before the fork."""
        wanted = (COUNTERS + CELLS) * CELL_BYTES
        size = -(-wanted // LINE_BYTES) * LINE_BYTES
        memory = memoryview(mmap.mmap(-1, workers * size)).cast("d")
        cells = size // CELL_BYTES
        self.rows = [Row(memory[n * cells : (n + 1) * cells]) for n in range(workers)]
        self._in_flight = memory[IN_FLIGHT::cells]

    def in_flight(self) -> int:
        """Return the calls of all workers together."""
        return int(sum(self._in_flight.tolist()))


class Line:
    """One worker's view of the limit that all workers hold together."""

    def __init__(self, board: Board, row: Row) -> None:
        """`row` is the worker's own."""
        self._board = board
        self._row = row

    def enter(self, count: int, limit: int) -> bool:
        """Show that `count` calls are here now; whether they are within the limit.

        Shown first and counted then: of two workers that take the last place at the same time at
        least one sees the other. Both may give it up again; never are more than the limit taken.
        """
        self._row.in_flight = count
        return self._board.in_flight() <= limit

    def leave(self, count: int) -> None:
        """Show that `count` calls are left here."""
        self._row.in_flight = count

    def elsewhere(self) -> int:
        """Return the calls of the other workers."""
        return self._board.in_flight() - self._row.in_flight
