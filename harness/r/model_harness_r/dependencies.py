"""`python -m model_harness_r.dependencies <file>`: install the Debian packages of a version.

One package per line with its version, as in `r-cran-jsonlite=1.8.4+dfsg-1`; `#` begins a comment.
The version is required because a published version of a model is immutable.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

_LINE = re.compile(r"([a-z0-9][a-z0-9+.-]+)=([0-9][\w.+~:-]*)")
_EXAMPLE = "r-cran-jsonlite=1.8.4+dfsg-1"


class DependenciesError(Exception):
    """Raised when the file cannot be installed; one line per mistake."""


def parse(text: str) -> list[tuple[str, str]]:
    """Return (package, version) for each line. Raise DependenciesError with every mistake."""
    packages, errors = [], []
    lines = text.removeprefix("\ufeff").splitlines()  # the byte order mark of Windows editors
    for number, line in enumerate(lines, 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match:
            packages.append((match[1], match[2]))
        else:
            errors.append(
                f"line {number} is {content[:100]!r}; write a Debian package and its version, "
                f"like {_EXAMPLE}"
            )
    if errors:
        raise DependenciesError("\n".join(errors))
    return packages


def check(packages: Iterable[tuple[str, str]], versions: Callable[[str], list[str]]) -> None:
    """Raise DependenciesError for each package that Debian does not have in this version."""
    errors = []
    for package, version in packages:
        available = versions(package)
        if not available:
            errors.append(f"Debian package {package!r} does not exist for this image")
        elif version not in available:
            choices = " or ".join(f"{package}={choice}" for choice in available)
            errors.append(f"{package} is not available in version {version}; write {choices}")
    if errors:
        raise DependenciesError("\n".join(errors))


def main(path: str) -> int:
    """Return the exit status: that of apt-get, or 1 for a wrong file."""
    try:
        packages = parse(Path(path).read_text(encoding="utf-8"))
        if not packages:
            return 0
        status = _run("apt-get", "update")
        if status:
            return status
        check(packages, _available_versions)
    except DependenciesError as error:
        print(f"dependencies:\n{error}", file=sys.stderr)
        return 1
    pinned = [f"{package}={version}" for package, version in packages]
    return _run("apt-get", "install", "-y", "--no-install-recommends", *pinned)


def _run(*command: str) -> int:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, check=False).returncode


def _available_versions(package: str) -> list[str]:
    """Return the versions that apt offers; it prints lines of `package | version | source`."""
    command = ["apt-cache", "madison", package]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return list(dict.fromkeys(line.split("|")[1].strip() for line in lines if "|" in line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
