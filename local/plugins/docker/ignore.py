"""`.dockerignore`: which files of a context the builder never sees."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rule:
    """One line."""

    pattern: re.Pattern[str]
    excludes: bool

    def covers(self, path: str) -> bool:
        """Whether the rule names the path or a folder above it."""
        parts = path.split("/")
        return any(self.pattern.fullmatch("/".join(parts[: end + 1])) for end in range(len(parts)))


def rules(context: Path, dockerfile: Path) -> list[Rule]:
    """The rules of the Dockerfile's own ignore file, or else of the context's."""
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    for file in (own, context / ".dockerignore"):
        if file.is_file():
            return [rule for line in file.read_text().splitlines() if (rule := _rule(line))]
    return []


def _rule(line: str) -> Rule | None:
    written = line.strip()
    if not written or line.startswith("#"):
        return None
    excludes = not written.startswith("!")
    cleaned = posixpath.normpath(written.removeprefix("!").strip()).lstrip("/")
    return None if cleaned == "." else Rule(re.compile(_translated(cleaned)), excludes)


def _translated(pattern: str) -> str:
    """Go's `filepath.Match`, and `**` for any number of folders."""
    shown, position = "", 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            shown, position = shown + "(?:.*/)?", position + 3
        elif pattern.startswith("**", position):
            shown, position = shown + ".*", position + 2
        elif pattern[position] == "*":
            shown, position = shown + "[^/]*", position + 1
        elif pattern[position] == "?":
            shown, position = shown + "[^/]", position + 1
        elif pattern[position] == "[" and "]" in pattern[position + 1 :]:
            end = pattern.index("]", position + 1)
            shown, position = shown + pattern[position : end + 1], end + 1
        else:
            shown, position = shown + re.escape(pattern[position]), position + 1
    return shown


def is_ignored(path: str, found: list[Rule]) -> bool:
    """Whether the last rule that covers the path excludes it."""
    for rule in reversed(found):
        if rule.covers(path):
            return rule.excludes
    return False
