"""Runs other programs; a failure carries the end of what they printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.errors import GroundError

#: How many lines of a failed program's output a person is shown.
TAIL_LINES = 25


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
    if process.stdout is None:  # for the type checker: a pipe was asked for
        raise RuntimeError
    if process.stdin is not None:
        process.stdin.write(stdin or "")
        process.stdin.close()
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if each_line:
            each_line(lines[-1])
    if process.wait() != 0:
        tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
        shown = " ".join(str(part) for part in command[:6])
        raise GroundError(f"`{shown}` ended with status {process.returncode}:\n{tail}", hint)
    return "\n".join(lines)
