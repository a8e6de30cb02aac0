"""Run other programs; an error contains the last lines of their output."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from local.errors import SetupError

TAIL_LINES = 25
"""Number of lines of a failed program's output in the error."""
TERMINATION_GRACE_SECONDS = 15
"""Time between SIGTERM and SIGKILL when this process is interrupted."""

_DISK_FULL = "no space left on device"

_running_processes: set[subprocess.Popen[str]] = set()
"""The running programs of all threads."""


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
    remedy: str = "see the lines above",
) -> str:
    """Run `command` and return its output (stdout and stderr); raise SetupError if it fails.

    `env` is added to the environment of this process.
    """
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise SetupError(f"program not found: {error.filename}", "install it") from None
    _running_processes.add(process)
    try:
        lines = _communicate(process, stdin, on_line)
        status = process.wait()
    except BaseException:
        _terminate(process)  # else it runs concurrently with the next command
        raise
    finally:
        _running_processes.discard(process)
    if status != 0:
        tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
        printed_command = " ".join(str(part) for part in command[:6])
        if _DISK_FULL in tail.lower():
            remedy = "the disk is full: free some space and run the same command again"
        raise SetupError(f"`{printed_command}` exited with status {status}:\n{tail}", remedy)
    return "\n".join(lines)


def run_in_parallel(*tasks: Callable[[], object]) -> None:
    """Run all tasks in threads; raise the first exception and terminate the other programs."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            for process in list(_running_processes):
                _terminate(process)
            raise


def _communicate(
    process: subprocess.Popen[str], stdin: str | None, on_line: Callable[[str], None] | None
) -> list[str]:
    if process.stdin is not None:
        try:
            process.stdin.write(stdin or "")
            process.stdin.close()
        except BrokenPipeError:
            pass  # the program ended without reading; its status and output explain it
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line.rstrip("\n"))
        if on_line:
            on_line(lines[-1])
    return lines


def _terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(TERMINATION_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
