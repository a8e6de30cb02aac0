"""A stack in a separate folder, run by the real engine."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.time_limits import at_most

SECONDS = 240


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str


@dataclass(frozen=True)
class EngineStack:
    """A project and its stack `test`, with the state in the same folder."""

    folder: Path

    def engine(self) -> str | Path:
        return "pulumi"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def run(self, *arguments: str) -> Outcome:
        done = subprocess.run(
            [self.engine(), *arguments, "--non-interactive", "--color", "never", "--stack", "test"],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=at_most(SECONDS),
            check=False,
        )
        assert "this is a bug" not in done.stdout, done.stdout
        return Outcome(done.returncode, done.stdout)

    def succeed(self, *arguments: str) -> str:
        outcome = self.run(*arguments)
        assert outcome.code == 0, outcome.text
        return outcome.text

    def fail(self, *arguments: str) -> str:
        outcome = self.run(*arguments)
        assert outcome.code != 0, outcome.text
        return outcome.text

    def up(self) -> str:
        return self.succeed("up", "--yes", "--skip-preview", "--suppress-progress")

    def unchanged(self) -> str:
        return self.succeed("preview", "--expect-no-changes", "--suppress-progress")

    def destroy(self) -> str:
        return self.succeed("destroy", "--yes", "--skip-preview", "--suppress-progress")

    def resources(self) -> list[dict[str, Any]]:
        """As they are stored; secrets as ciphertext."""
        exported = json.loads(self.succeed("stack", "export"))
        return exported["deployment"].get("resources", [])
