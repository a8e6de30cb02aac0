"""A stack of AWS resources only, run by the real engine with the emulated provider."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.engine_stack import EngineStack

ROOT = Path(__file__).parents[3]
REPOSITORIES = ["iris", "echo", "harness_python"]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import yaml
from components.aws import aws_resources
from components.config import PlatformSpec

platform = PlatformSpec.model_validate(yaml.safe_load(Path("platform.yaml").read_text()))
aws_resources.build(platform, platform.aws, {REPOSITORIES!r})
"""


@dataclass(frozen=True)
class Stack(EngineStack):
    """A stack with a separate engine and separate plugins."""

    pulumi: Path
    home: Path
    backend: Path | None = None
    """Another stack in the same state folder."""

    def write(self, platform: dict[str, Any]) -> None:
        (self.folder / "platform.yaml").write_text(yaml.safe_dump(platform))

    def engine(self) -> Path:
        return self.pulumi

    def environment(self) -> dict[str, str]:
        """Return the environment without AWS variables, so that tests find no credentials."""
        inherited = super().environment().items()
        return {
            **{key: value for key, value in inherited if not key.startswith("AWS_")},
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": f"file://{self.backend or self.folder}",
            "PULUMI_PYTHON_CMD": sys.executable,
        }

    def refresh(self) -> str:
        return self.succeed("refresh", "--yes", "--skip-preview", "--diff")

    def types(self) -> set[str]:
        return {item["type"] for item in self.resources()}
