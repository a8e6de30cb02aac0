"""Which Go compiles, and in which environment: the user's settings must not change a build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from local import versions
from local.errors import GroundError
from local.paths import Paths
from local.tools.wheel import program

#: Where Go is installed when it is not on PATH.
PLACES = ("/usr/local/go/bin/go",)

_VERSION = re.compile(r"go(\d+)\.(\d+)")


def compiler(paths: Paths) -> Path:
    """The Go command: the machine's own, else the one of a wheel. Raises GroundError."""
    for found in (shutil.which("go"), *PLACES):
        if found and Path(found).exists() and _version(found) >= versions.GO_MINIMUM:
            return Path(found)
    needed = ".".join(map(str, versions.GO_MINIMUM))
    try:
        return program(paths, "go", "go")
    except GroundError as error:
        raise GroundError(
            f"there is no Go {needed} or newer on PATH, and none could be fetched:\n{error}",
            f"install Go {needed} or newer (https://go.dev/dl/), or mend the network",
        ) from None


def _version(go: str) -> tuple[int, int]:
    done = subprocess.run([go, "version"], capture_output=True, text=True, cwd="/", check=False)
    found = _VERSION.search(done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def environment(paths: Paths, go: Path) -> dict[str, str]:
    """What every call of Go needs. An empty GOFLAGS would let `go env -w GOFLAGS` through."""
    own = {"GOWORK": "off", "GO111MODULE": "on", "GOFLAGS": "-mod=readonly", "GOOS": "linux"}
    if go.is_relative_to(paths.tools) and "GOPATH" not in os.environ:
        # a Go of ours keeps its files where `make clean` finds them
        own |= {"GOPATH": str(paths.cache / "go"), "GOCACHE": str(paths.cache / "go-build")}
    return own
