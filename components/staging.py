"""Writes the folders that images are built from, below `.build/`, which Git ignores.

An image's plugin compares the path of its context and hashes modes with the bytes. So the path is
relative and carries the content hash, and modes are normalised.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components import whole_folder
from components.languages import PYTHON, Language
from components.naming import object_name
from components.sources import File, SourceError, Tree, digest_of, read

BUILD = ".build"
MODEL_DOCKERFILE = "model.Dockerfile"

_SHOWN_DIGITS = 12
_FILE = 0o644
_EXECUTABLE = 0o755
_FOLDER = 0o755


@dataclass(frozen=True)
class Harness:
    """What the image of a language's harness is built of."""

    language: Language
    tree: Tree
    shared: Mapping[str, bytes]
    """Files of the Python harness beside them, by their paths."""
    digest: str


def read_harness(root: Path, language: Language) -> Harness:
    """The harness's files, and a hash of them. Raises SourceError."""
    tree = read(root / language.folder)
    if not language.shared:
        return Harness(language, tree, {}, tree.digest)
    front = read(root / PYTHON.folder)
    with _told_in_words():
        shared = {
            file.path: (front.folder / file.path).read_bytes()
            for file in front.files
            if file.path.split("/")[0] in language.shared
        }
    fields = [field for path, data in shared.items() for field in (os.fsencode(path), data)]
    return Harness(language, tree, shared, digest_of([bytes.fromhex(tree.digest), *fields]))


def stage_harness(root: Path, harness: Harness) -> str:
    """Stages the harness's own context; returns its path relative to `root`."""
    name = f"harness-{harness.language.name}-{harness.digest[:_SHOWN_DIGITS]}"
    return _stage(root, name, harness.tree, "", harness.shared)


def stage_watcher(root: Path, tree: Tree) -> str:
    """Stages the watcher's own context; returns its path relative to `root`."""
    return _stage(root, f"watcher-{tree.digest[:_SHOWN_DIGITS]}", tree, "", {})


def stage_version(
    root: Path, language: Language, model: str, version: str, source: Tree, content_hash: str
) -> str:
    """Stages a version: `Dockerfile`, the list of packages (may be empty), `source/`.

    Returns the path relative to `root`. Does next to nothing when the folder is there and whole.
    Raises SourceError if the source changed since it was read, or for the disk's own reasons.
    """
    packages = language.dependencies
    listed = any(file.path == packages for file in source.files)
    name = f"{object_name(model, version)}-{content_hash[:_SHOWN_DIGITS]}"
    with _told_in_words():
        extra = {
            "Dockerfile": (root / language.folder / MODEL_DOCKERFILE).read_bytes(),
            packages: (source.folder / packages).read_bytes() if listed else b"",
        }
    return _stage(root, name, source, "source/", extra)


def _stage(root: Path, name: str, tree: Tree, prefix: str, extra: Mapping[str, bytes]) -> str:
    target = root / BUILD / name
    with _told_in_words():
        whole_folder.ensure(
            target,
            lambda folder: _is_whole(folder, tree, prefix, extra),
            lambda folder: _write(folder, tree, prefix, extra),
        )
    return f"{BUILD}/{name}"


def _is_whole(target: Path, tree: Tree, prefix: str, extra: Mapping[str, bytes]) -> bool:
    """Compares names, modes and sizes, and the few small files byte by byte."""
    expected = {prefix + file.path: (_mode(file), file.size) for file in tree.files}
    expected |= {name: (_FILE, len(content)) for name, content in extra.items()}
    found: dict[str, tuple[int, int]] = {}
    for parent, _, names in os.walk(target):
        for name in names:
            status = os.lstat(os.path.join(parent, name))
            path = os.path.relpath(os.path.join(parent, name), target)
            found[path] = (stat.S_IMODE(status.st_mode), status.st_size)
    return found == expected and all(
        (target / name).read_bytes() == content for name, content in extra.items()
    )


def _write(folder: Path, tree: Tree, prefix: str, extra: Mapping[str, bytes]) -> None:
    for file in tree.files:
        path = folder / prefix / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree.folder / file.path, path)
        path.chmod(_mode(file))
    if read(folder / prefix).digest != tree.digest:
        raise SourceError(f"{tree.folder}: changed while it was read; run it again")
    for name, content in extra.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(_FILE)
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, _FOLDER)


@contextlib.contextmanager
def _told_in_words() -> Iterator[None]:
    """A full disk or a file that has just gone is no reason for a traceback."""
    try:
        yield
    except OSError as error:
        raise SourceError(f"{error.filename}: {error.strerror}") from error


def _mode(file: File) -> int:
    return _EXECUTABLE if file.executable else _FILE
