"""CPU and memory of a process tree, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/PID/stat, counted from the state, which follows the name in parentheses.
_STATE, _PARENT, _USER, _SYSTEM, _RSS = 0, 1, 11, 12, 21

Stat = list[str]


def of_tree(root: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    return [number for number, _ in _stats(root)]


def cpu_seconds(root: int) -> float:
    """Return the CPU seconds of the tree, user and system."""
    return sum(int(stat[_USER]) + int(stat[_SYSTEM]) for _, stat in _stats(root)) / _TICKS


def resident(root: int) -> int:
    """Return the resident bytes of the tree."""
    return sum(int(stat[_RSS]) for _, stat in _stats(root)) * _PAGE


def reset_peaks(root: int) -> None:
    """Reset the peak memory of each process of the tree."""
    for number in of_tree(root):
        Path(f"/proc/{number}/clear_refs").write_text("5", encoding="ascii")


def peak(root: int) -> int:
    """Return the sum of each process's peak of resident bytes since `reset_peaks`."""
    return sum(_peak(number) for number in of_tree(root))


def _peak(number: int) -> int:
    status = Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    peak_line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak_line.split()[1]) * 1024


def _stats(root: int) -> Iterator[tuple[int, Stat]]:
    stats: dict[int, Stat] = {}
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(entry)) is not None:
            stats[int(entry)] = stat
            children.setdefault(int(stat[_PARENT]), []).append(int(entry))
    waiting = [root] if root in stats else []
    while waiting:
        number = waiting.pop()
        waiting += children.get(number, [])
        if stats[number][_STATE] not in "ZX":
            yield number, stats[number]


def _stat(entry: str) -> Stat | None:
    try:
        text = Path("/proc", entry, "stat").read_text(encoding="utf-8")
    except OSError:  # the process has exited
        return None
    return text.rpartition(")")[2].split()
