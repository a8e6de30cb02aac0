"""`python -m model_harness_r.dependencies <file>`: installs a version's Debian packages.

One package a line, with its version, as in `r-cran-jsonlite=1.8.4+dfsg-1`; `#` begins a comment.
The version is asked for because a published version of a model stays what it is.
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
    """The file cannot be installed; one sentence for each thing that is wrong."""


def read(text: str) -> list[tuple[str, str]]:
    """Return (package, version) for each line. Raises DependenciesError with every mistake."""
    found, mistakes = [], []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match:
            found.append((match[1], match[2]))
        else:
            mistakes.append(
                f"line {number} is {content[:100]!r}; write a Debian package and its version, "
                f"like {_EXAMPLE}"
            )
    if mistakes:
        raise DependenciesError("\n".join(mistakes))
    return found


def check(wanted: Iterable[tuple[str, str]], versions: Callable[[str], list[str]]) -> None:
    """Raise DependenciesError for each package that Debian has not, or not in this version."""
    mistakes = []
    for package, version in wanted:
        offered = versions(package)
        if not offered:
            mistakes.append(f"there is no Debian package {package!r} for this image")
        elif version not in offered:
            mistakes.append(
                f"{package} is not to be had in version {version}; write "
                f"{' or '.join(f'{package}={each}' for each in offered)}"
            )
    if mistakes:
        raise DependenciesError("\n".join(mistakes))


def main(path: str) -> int:
    """Exit status: that of apt-get, or 1 if there is nothing that it could be asked for."""
    try:
        wanted = read(Path(path).read_text(encoding="utf-8"))
        if not wanted:
            return 0
        updated = _run("apt-get", "update")
        if updated:
            return updated
        check(wanted, _versions)
    except DependenciesError as error:
        print(f"dependencies:\n{error}", file=sys.stderr)
        return 1
    packages = [f"{package}={version}" for package, version in wanted]
    return _run("apt-get", "install", "-y", "--no-install-recommends", *packages)


def _run(*command: str) -> int:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, check=False).returncode


def _versions(package: str) -> list[str]:
    """Return what apt offers; each line of its answer is `package | version | source`."""
    command = ["apt-cache", "madison", package]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return list(dict.fromkeys(line.split("|")[1].strip() for line in lines if "|" in line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
