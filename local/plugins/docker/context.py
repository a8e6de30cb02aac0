"""The digest of a build context: changes exactly when a build could see a difference.

Computed as the official plugin does (Dockerfile, then path, mode and content of each file that is
not ignored), so that a change of plugin alone rebuilds nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from local.plugins.docker.ignore import is_ignored, rules
from local.plugins.failures import PluginError

_CHUNK = 1 << 20


def digest(context: Path, dockerfile: Path) -> str:
    """SHA-256 over the Dockerfile and the context's files, in hexadecimal."""
    if not context.is_dir():
        raise PluginError(f"build.context: there is no folder {context}.")
    if not dockerfile.is_file():
        inside = context / dockerfile
        hint = f" Write `dockerfile: {inside}`." if inside.is_file() else ""
        raise PluginError(
            f"build.dockerfile: there is no file {dockerfile} (the path starts at the project, not "
            f"at the context).{hint}"
        )
    ignored = rules(context, dockerfile)
    total = hashlib.sha256(_entry("Dockerfile", "----------", _content(dockerfile)))
    for path in _files(context):
        name = path.relative_to(context).as_posix()
        if is_ignored(name, ignored):
            continue
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = hashlib.sha256(os.fsencode(path.readlink())).digest()
        elif stat.S_ISREG(mode):
            content = _content(path)
        else:
            raise PluginError(f"build.context: {path} is neither a file nor a link.")
        total.update(_entry(name, stat.filemode(mode), content))
    return total.hexdigest()


def _entry(name: str, mode: str, content: bytes) -> bytes:
    return name.encode() + mode.encode() + content + b"\0"


def _content(path: Path) -> bytes:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.digest()


def _files(folder: Path) -> list[Path]:
    """Every entry that is no folder, in the order of their names, folder by folder."""
    found = []
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.is_dir() and not entry.is_symlink():
            found += _files(entry)
        else:
            found.append(entry)
    return found
