"""Provenance of a version: commit and time, kept once written."""

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from components import ignore_file
from components.sources import RULES, read_ignore_file


@dataclass(frozen=True)
class GitCheckout:
    """The project's Git work tree, read once per run."""

    root: Path

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return ""  # a folder outside Git can be deployed, too
        return done.stdout

    @cached_property
    def _head(self) -> str:
        return self._git("rev-parse", "HEAD").strip()

    @cached_property
    def _changed(self) -> list[str]:
        """Paths that differ from HEAD, relative to the project; folders end in `/`.

        The options override the user's configuration; `-z` prints names as they are. Ignored files
        are listed, too: the commit does not have them.
        """
        prefix = self._git("rev-parse", "--show-prefix").strip()
        options = ("-z", "--no-renames", "--untracked-files=all", "--ignored=traditional")
        lines = self._git("status", "--porcelain", *options).split("\0")
        return [line[3:].removeprefix(prefix) for line in lines if line[3:].startswith(prefix)]

    def commit(self, source: str) -> str:
        """Return the commit of `source`, with `-dirty` if files differ; `unknown` outside Git."""
        if not self._head:
            return "unknown"
        folder = os.path.normpath(source) + "/"
        ignored = read_ignore_file(self.root / source)

        def belongs(path: str) -> bool:
            if path == ignore_file.NAME:
                return True  # another one would let other files belong
            name = path.rstrip("/")
            may_have_exceptions = ignored.has_exceptions and path.endswith("/")
            return RULES.includes(name) and (may_have_exceptions or not ignored.matches(name))

        dirty = any(
            folder.startswith(path)
            or (path.startswith(folder) and belongs(path.removeprefix(folder)))
            for path in self._changed
            if path
        )
        return self._head + ("-dirty" if dirty else "")


def utc_timestamp() -> str:
    """Return the current time, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
