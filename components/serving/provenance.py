"""Provenance of a version: commit and time, kept once written."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path


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
        return [
            line[3:] for line in self._git("status", "--porcelain", "--no-renames").splitlines()
        ]

    def commit(self, source: str) -> str:
        """Return the commit of `source`, with `-dirty` if files differ; `unknown` outside Git."""
        if not self._head:
            return "unknown"
        folder = source.rstrip("/") + "/"
        dirty = any(path.startswith(folder) or folder.startswith(path) for path in self._changed)
        return self._head + ("-dirty" if dirty else "")


def utc_timestamp() -> str:
    """Return the current time, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
