"""The state and the counters of all workers, in memory that the processes share.

The memory is mapped once, before the first fork. Each worker writes to one slot with plain
stores and reads the others without a lock; the parent only reads. All cells are doubles, which
count exactly up to 2**53, and aligned, so that no reader sees a half-written one.
"""

import mmap

CACHE_LINE_BYTES = 64  # two workers that write to one cache line would slow each other down
CELL_BYTES = 8

READY, HEARTBEAT, IN_FLIGHT = range(3)
COUNTERS_OFFSET = 3

DURATION_BOUNDS = (  # seconds; the harness adds microseconds, the default time limit is 30 s
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
STATUSES = (200, 500, 400, 401, 404, 405, 413, 415, 429, 503, 504)

# The counters of a worker: one bucket per bound and one above, then the cells below.
DURATION_SUM = len(DURATION_BOUNDS) + 1
FUNCTION_ERRORS = DURATION_SUM + 1
STATUS_CELLS = {status: FUNCTION_ERRORS + 1 + n for n, status in enumerate(STATUSES)}
OTHER_STATUS = FUNCTION_ERRORS + 1 + len(STATUSES)
COUNTER_CELLS = OTHER_STATUS + 1


class WorkerSlot:
    """The cells of one worker."""

    def __init__(self, cells: "memoryview[float]") -> None:
        self.cells = cells
        self.counters = cells[COUNTERS_OFFSET : COUNTERS_OFFSET + COUNTER_CELLS]

    @property
    def ready(self) -> bool:
        """Whether the function of the worker is loaded and its HTTP server listens."""
        return bool(self.cells[READY])

    @ready.setter
    def ready(self, value: bool) -> None:
        self.cells[READY] = float(value)

    @property
    def heartbeat(self) -> float:
        """When the interpreter of the worker last ran, in seconds of time.monotonic."""
        return float(self.cells[HEARTBEAT])

    @heartbeat.setter
    def heartbeat(self, value: float) -> None:
        self.cells[HEARTBEAT] = value

    @property
    def in_flight(self) -> int:
        """How many calls the worker has accepted and not answered."""
        return int(self.cells[IN_FLIGHT])

    @in_flight.setter
    def in_flight(self, value: int) -> None:
        self.cells[IN_FLIGHT] = value

    def clear(self) -> None:
        """Reset the state after the worker died. The counters stay: they never decrease."""
        self.cells[READY] = self.cells[IN_FLIGHT] = 0.0


class WorkerTable:
    """The slots of all workers."""

    def __init__(self, workers: int) -> None:
        """Map the memory. Call this before the first fork."""
        slot_bytes = (COUNTERS_OFFSET + COUNTER_CELLS) * CELL_BYTES
        aligned_bytes = -(-slot_bytes // CACHE_LINE_BYTES) * CACHE_LINE_BYTES
        memory = memoryview(mmap.mmap(-1, workers * aligned_bytes)).cast("d")
        cells = aligned_bytes // CELL_BYTES
        self.slots = [WorkerSlot(memory[n * cells : (n + 1) * cells]) for n in range(workers)]
        self._in_flight = memory[IN_FLIGHT::cells]

    def in_flight(self) -> int:
        """Return the calls of all workers together."""
        return int(sum(self._in_flight.tolist()))


class InFlightLimit:
    """The limit of calls in flight that all workers hold together, as one worker sees it."""

    def __init__(self, table: WorkerTable, slot: WorkerSlot) -> None:
        """Create the view of the worker with this slot."""
        self._table = table
        self._slot = slot

    def acquire(self, count: int, limit: int) -> bool:
        """Publish that this worker has `count` calls; return whether all are within the limit.

        Publish first and count then: of two workers that take the last place at the same time at
        least one sees the other. Both may give up; the limit is never exceeded.
        """
        self._slot.in_flight = count
        return self._table.in_flight() <= limit

    def release(self, count: int) -> None:
        """Publish that this worker has `count` calls left."""
        self._slot.in_flight = count

    def in_flight_elsewhere(self) -> int:
        """Return the calls of the other workers."""
        return self._table.in_flight() - self._slot.in_flight
