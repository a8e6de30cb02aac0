"""The Go compiler and its environment, which keeps the user's settings out of a build."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from local import versions
from local.build.wheel_programs import wheel_program
from local.errors import SetupError
from local.paths import Paths

GO_LOCATIONS = ("/usr/local/go/bin/go",)
"""Where the official archive installs Go, which PATH may lack."""

_VERSION = re.compile(r"go(\d+)\.(\d+)")


def compiler(paths: Paths) -> Path:
    """Return the machine's Go if it is new enough, else the one of a wheel."""
    for command in (shutil.which("go"), *GO_LOCATIONS):
        if command and Path(command).exists() and _version(command) >= versions.GO_MINIMUM:
            return Path(command)
    minimum = ".".join(map(str, versions.GO_MINIMUM))
    try:
        return wheel_program(paths, "go", "go")
    except SetupError as error:
        raise SetupError(
            f"Go {minimum} or newer is not on PATH, and its wheel could not be installed:\n{error}",
            f"install Go {minimum} or newer (https://go.dev/dl/), or check the network",
        ) from None


def _version(go: str) -> tuple[int, int]:
    result = subprocess.run([go, "version"], capture_output=True, text=True, cwd="/", check=False)
    match = _VERSION.search(result.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def environment(paths: Paths, go: Path, workspace: Path | None = None) -> dict[str, str]:
    """Return the environment variables of a Go command.

    With an empty GOFLAGS, `go env -w GOFLAGS` would have an effect. Without cgo all tools share one
    build cache, and none needs a C compiler.
    """
    variables = {
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOFLAGS": "-mod=readonly",
        "GOOS": "linux",
        "GOWORK": str(workspace or "off"),
    }
    if go.is_relative_to(paths.tools) and "GOPATH" not in os.environ:
        # `make clean` has to delete the modules and the cache of a Go that we installed
        variables |= {"GOPATH": str(paths.cache / "go"), "GOCACHE": str(paths.cache / "go-build")}
    return variables
