"""Pulumi's property paths: `spec.template["a.b"].containers[0].image`."""

from __future__ import annotations

import re

Step = str | int
Path = tuple[Step, ...]

_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]"]+)')


def parse(path: str) -> Path:
    """The steps of a property path; `[*]` stays the string "*"."""
    steps: list[Step] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"not a property path: {path!r}")
        quoted, index, name = found.groups()
        if quoted is not None:
            steps.append(quoted.replace('\\"', '"'))
        elif index is not None:
            steps.append(index if index == "*" else int(index))
        else:
            steps.append(name)
        position = found.end()
    return tuple(steps)


def render(path: Path) -> str:
    """The path as the engine shows and parses it."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        elif re.search(r'[."\[\]]', step):
            escaped = step.replace('"', '\\"')
            shown += f'["{escaped}"]'
        else:
            shown += f".{step}" if shown else step
    return shown


def covers(pattern: Path, path: Path) -> bool:
    """Whether `path` is the pattern's place or lies below it; "*" stands for any step."""
    if len(path) < len(pattern):
        return False
    return all(want in ("*", step) for want, step in zip(pattern, path, strict=False))


def touches(pattern: Path, path: Path) -> bool:
    """Whether a change at `path` changes the pattern's place: at it, below it, or around it."""
    shared = min(len(pattern), len(path))
    return covers(pattern[:shared], path[:shared])
