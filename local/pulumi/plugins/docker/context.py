"""The digest of a build context: changes exactly when a build could see a difference.

Computed as the official plugin does (Dockerfile, then path, mode and content of each file that is
not ignored), so that a change of plugin alone rebuilds nothing.
"""

import hashlib
import os
import stat
from pathlib import Path

from docker.utils.build import PatternMatcher

from local.pulumi.plugins.resource import PluginError


def digest(context: Path, dockerfile: Path) -> str:
    """Return the SHA-256 of the Dockerfile and the context's files, in hexadecimal."""
    if not context.is_dir():
        raise PluginError(f"build.context: folder {context} does not exist.")
    if not dockerfile.is_file():
        inside = context / dockerfile
        hint = f" Write `dockerfile: {inside}`." if inside.is_file() else ""
        raise PluginError(
            f"build.dockerfile: file {dockerfile} does not exist (the path starts at the project, "
            f"not at the context).{hint}"
        )
    total = hashlib.sha256(_entry("Dockerfile", "----------", _content(dockerfile)))
    for name in files(context, dockerfile):
        path = context / name
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = hashlib.sha256(os.fsencode(path.readlink())).digest()
        elif stat.S_ISREG(mode):
            content = _content(path)
        else:
            raise PluginError(f"build.context: {path} is neither a file nor a link.")
        total.update(_entry(name.as_posix(), stat.filemode(mode), content))
    return total.hexdigest()


def files(context: Path, dockerfile: Path) -> list[Path]:
    """Return what `.dockerignore` leaves of the context, without folders, folder by folder."""
    matcher = PatternMatcher(_ignore_lines(context, dockerfile))
    paths = (Path(name) for name in matcher.walk(str(context)))
    return sorted(path for path in paths if _is_entry(context / path))


def _ignore_lines(context: Path, dockerfile: Path) -> list[str]:
    """Return the lines of the Dockerfile's own ignore file, or else of the context's."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    for file in (own, context / ".dockerignore"):
        if file.is_file():
            return [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return []


def _is_entry(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def _entry(name: str, mode: str, content: bytes) -> bytes:
    return name.encode() + mode.encode() + content + b"\0"


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
