"""The version of a plugin that the program's SDK requires."""

import json
import sys
from pathlib import Path


def version_of(package: str, paths: list[str] | None = None) -> str:
    """Return the version of the installed SDK, without importing it (that takes seconds)."""
    for folder in sys.path if paths is None else paths:
        described = Path(folder, f"pulumi_{package}", "pulumi-plugin.json")
        if described.is_file():
            return str(json.loads(described.read_text())["version"])
    raise LookupError(f"the Pulumi SDK pulumi-{package} is not installed in this environment")
