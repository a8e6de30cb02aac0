"""Bound what request bodies become in memory by the memory limit of the container.

A body of 5 MB can become 180 MB of Python objects. So each body reserves the memory that its values
may take, until its call has ended. The estimate counts the characters that create values; the
factors are measured with orjson 3.11 on CPython 3.11 (peak of resident memory, including orjson's
own document) and hold for the worst bodies found: nested arrays, objects with one key, floats.
"""

import threading
from collections.abc import Iterable
from pathlib import Path

from model_harness.errors import RETRY_AFTER, RequestError

SMALL_BODY_BYTES = 4096
"""Smaller bodies reserve nothing: together they fit into the margin."""

_CONTAINER_BYTES = 64  # an array or object
_ITEM_BYTES = 56  # an item of an array: a slot and a number
_MEMBER_BYTES = 144  # a member of an object, with its key
_STRING_BYTES = 32  # a string, in addition to its characters
_NARROW, _WIDE = 2, 6  # the body and its text; text with any wide character has four bytes each

_MARGIN = 0.1
"""Share of the limit for small bodies, connections and responses."""
_LEAST_BUDGET = 8 * 2**20
_PAGE_BYTES = 4096
_UNLIMITED = 2**60
_LIMIT_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class MemoryBudget:
    """The memory that the values of all requests of a process may take."""

    def __init__(self) -> None:
        """Create a budget without a limit."""
        self._budget = _UNLIMITED
        self._factor = 1
        self._reserved = 0
        self._lock = threading.Lock()

    def limit(self, budget: int | None, factor: int = 1) -> None:
        """Set the budget in bytes; None is unlimited.

        `factor` multiplies estimates, for languages whose values take more memory.
        """
        self._budget = _UNLIMITED if budget is None else max(budget, _LEAST_BUDGET)
        self._factor = factor

    def reserve(self, body: bytes) -> int:
        """Reserve memory for the values of a body; return the bytes to be released.

        Raise RequestError: 413 if the body can never fit, 429 if other requests take the memory.
        """
        if len(body) <= SMALL_BODY_BYTES or self._budget == _UNLIMITED:
            return 0
        count = estimate(body) * self._factor
        if count > self._budget:
            raise RequestError(
                413,
                f"the values of the body may take {count >> 20} MiB of memory; the model has "
                f"{self._budget >> 20} MiB for requests; send fewer values, or raise "
                "resources.memory",
            )
        with self._lock:
            if self._reserved + count > self._budget:
                message = "other requests use the memory for values; try again"
                raise RequestError(429, message, headers=RETRY_AFTER)
            self._reserved += count
        return count

    def release(self, count: int) -> None:
        """Release reserved memory."""
        with self._lock:
            self._reserved -= count


def estimate(body: bytes) -> int:
    """Return an upper bound of the bytes that the values of a JSON body take."""
    members = body.count(b":")
    strings = max(0, body.count(b'"') // 2 - members)
    is_narrow = body.isascii() and b"\\u" not in body
    return (
        len(body) * (_NARROW if is_narrow else _WIDE)
        + (body.count(b"{") + body.count(b"[")) * _CONTAINER_BYTES
        + body.count(b",") * _ITEM_BYTES
        + members * _MEMBER_BYTES
        + strings * _STRING_BYTES
    )


def container_budget(workers: int) -> int | None:
    """Return the bytes that one of `workers` processes may use for requests.

    Call it when the model is loaded. None without a memory limit of the container.
    """
    limit = memory_limit()
    if limit is None:
        return None
    return int(limit * (1 - _MARGIN)) // workers - _resident_bytes("self")


def memory_limit(files: Iterable[Path] = _LIMIT_FILES) -> int | None:
    """Return the memory limit of the container in bytes (cgroup v2 or v1); None without one."""
    for file in files:
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < _UNLIMITED:
            return int(text)
    return None


def _resident_bytes(process: str) -> int:
    """Return the resident memory of a process and its descendants."""
    folder = Path("/proc", process)
    try:
        total = int((folder / "statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
        children = [
            child
            for task in (folder / "task").iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except OSError:  # the process has ended
        return 0
    return total + sum(map(_resident_bytes, children))
