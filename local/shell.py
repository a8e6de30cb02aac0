"""Runs other programs; a failure carries the end of what they printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.errors import GroundError

#: How many lines of a failed program's output a person is shown.
TAIL_LINES = 25
#: How long a program may tidy up when this one is stopped, in seconds.
TIDY_SECONDS = 15

_DISK_FULL = "no space left on device"


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    each_line: Callable[[str], None] | None = None,
    hint: str = "the lines above say why",
) -> str:
    """Run ``command`` to its end and return what it printed (both streams).

    ``env`` is added to the environment. Raises GroundError with the last lines where it fails.
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
        raise GroundError(f"there is no program {error.filename}", "install it") from None
    try:
        lines = _talk(process, stdin, each_line)
        status = process.wait()
    except BaseException:
        _end(process)  # it must not go on behind the next run's back
        raise
    if status != 0:
        tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
        shown = " ".join(str(part) for part in command[:6])
        if _DISK_FULL in tail.lower():
            hint = "the disk is full: make room and run the same command again"
        raise GroundError(f"`{shown}` ended with status {status}:\n{tail}", hint)
    return "\n".join(lines)


def _talk(
    process: subprocess.Popen[str], stdin: str | None, each_line: Callable[[str], None] | None
) -> list[str]:
    if process.stdin is not None:
        try:
            process.stdin.write(stdin or "")
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended without reading; its status and its last lines say why
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line.rstrip("\n"))
        if each_line:
            each_line(lines[-1])
    return lines


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(TIDY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
