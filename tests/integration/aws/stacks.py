"""A stack of AWS's types alone, run by the real engine with the stand-in plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SECONDS = 240
ROOT = Path(__file__).parents[3]
REPOSITORIES = ["iris", "echo", "harness_python"]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import yaml
from components.platform import on_aws
from components.spec import PlatformSpec

platform = PlatformSpec.model_validate(yaml.safe_load(Path("platform.yaml").read_text()))
on_aws.build(platform, platform.aws, {REPOSITORIES!r})
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str


@dataclass(frozen=True)
class Stack:
    """A project and a stack of its own in a temporary folder."""

    folder: Path
    pulumi: Path
    home: Path
    backend: Path | None = None
    """Another stack's folder, where this one's state is beside that one's."""

    def write(self, platform: dict[str, Any]) -> None:
        (self.folder / "platform.yaml").write_text(yaml.safe_dump(platform))

    def run(self, *arguments: str) -> Outcome:
        done = subprocess.run(
            [self.pulumi, *arguments, "--non-interactive", "--color", "never", "--stack", "test"],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "this is a bug" not in done.stdout, done.stdout
        return Outcome(done.returncode, done.stdout)

    def _environment(self) -> dict[str, str]:
        """Without anything of AWS's: a test must not find credentials by chance."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {
            **inherited,
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": f"file://{self.backend or self.folder}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
        }

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

    def refresh(self) -> str:
        return self.succeed("refresh", "--yes", "--skip-preview", "--diff")

    def destroy(self) -> str:
        return self.succeed("destroy", "--yes", "--skip-preview", "--suppress-progress")

    def types(self) -> set[str]:
        exported = json.loads(self.succeed("stack", "export"))
        return {item["type"] for item in exported["deployment"].get("resources", [])}
