"""The CPU and memory that the idle stack uses."""

from __future__ import annotations

from tests.support import node_state

MEMORY_MIB = 3 * 1024
CORES = 0.5
SECONDS = 10.0


def test_idle_stack_uses_little_cpu_and_memory(report: list[str]) -> None:
    running = " ".join(node_state.processes().values())
    assert [
        part for part in node_state.PARTS if part not in running
    ] == []  # otherwise it is not counted
    memory, cores = node_state.memory_mib(), node_state.cores(SECONDS)
    report.append(f"{memory:.0f} MiB, {cores:.2f} cores")
    assert 0 < memory < MEMORY_MIB
    assert 0 < cores < CORES
