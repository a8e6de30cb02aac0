"""Write the build contexts of images below `.build/`, which Git ignores.

pulumi-docker compares the context's path and hashes file modes and content. So the path is relative
and contains the content hash, and modes are normalized.
"""

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components import atomic_directory
from components.languages import PYTHON, Language, Runtime
from components.naming import object_name
from components.sources import (
    ALL_FILES,
    NAME_RULES,
    File,
    SourceError,
    SourceTree,
    digest_of,
    os_errors_as_source_errors,
    read,
)

BUILD_DIR = ".build"
MODEL_DOCKERFILE = "model.Dockerfile"
MODEL_PLACEHOLDER = b"@MODEL@"
"""Becomes the name of the model in the Dockerfile of its versions."""
WATCHER = "watcher"
CLUSTER_CLIENT = "cluster_client"

_SHOWN_DIGITS = 12
_FILE = 0o644
_EXECUTABLE = 0o755
_FOLDER = 0o755


@dataclass(frozen=True)
class Harness:
    """The build context of a runtime's harness image."""

    runtime: Runtime
    tree: SourceTree
    shared: Mapping[str, bytes]
    """Files of the Python harness that are added, by path."""
    digest: str
    """Hash of the files, and of the base image unless it is the Dockerfile's default."""


@dataclass(frozen=True)
class Watcher:
    """The build context of the watcher's image."""

    tree: SourceTree
    shared: Mapping[str, bytes]
    """The package `cluster_client`, by paths that start with its name."""
    digest: str


def read_harness(root: Path, runtime: Runtime) -> Harness:
    """Read the harness's files, and hash them. Raises SourceError.

    The `.dockerignore` of a harness serves `docker build` in its folder. It lists the Dockerfile,
    so it does not apply here.
    """
    language = runtime.language
    tree = read(root / language.folder, NAME_RULES)
    if runtime.base:
        fields = [bytes.fromhex(tree.digest), runtime.base.encode()]
        return Harness(runtime, tree, {}, digest_of(fields))
    if not language.shared:
        return Harness(runtime, tree, {}, tree.digest)
    front = read(root / PYTHON.folder, NAME_RULES)
    names = [file.path for file in front.files if file.path.split("/")[0] in language.shared]
    shared = _contents(front, names, "")
    return Harness(runtime, tree, shared, _digest(tree, shared))


def read_watcher(root: Path) -> Watcher:
    """Read the files of the watcher and of the package that it shares. Raises SourceError."""
    tree = read(root / WATCHER, NAME_RULES)
    package = read(root / CLUSTER_CLIENT, NAME_RULES)
    shared = _contents(package, [file.path for file in package.files], f"{CLUSTER_CLIENT}/")
    return Watcher(tree, shared, _digest(tree, shared))


def _contents(tree: SourceTree, paths: list[str], prefix: str) -> dict[str, bytes]:
    with os_errors_as_source_errors():
        return {prefix + path: (tree.folder / path).read_bytes() for path in paths}


def _digest(tree: SourceTree, shared: Mapping[str, bytes]) -> str:
    fields = [field for path, data in shared.items() for field in (os.fsencode(path), data)]
    return digest_of([bytes.fromhex(tree.digest), *fields])


def stage_harness(root: Path, harness: Harness) -> str:
    """Write the harness's build context; return its path relative to `root`."""
    name = f"harness-{harness.runtime.name}-{harness.digest[:_SHOWN_DIGITS]}"
    return _stage(root, name, harness.tree, "", harness.shared)


def stage_watcher(root: Path, watcher: Watcher) -> str:
    """Write the watcher's build context; return its path relative to `root`."""
    name = f"watcher-{watcher.digest[:_SHOWN_DIGITS]}"
    return _stage(root, name, watcher.tree, "", watcher.shared)


def stage_version(
    root: Path, language: Language, model: str, version: str, source: SourceTree, content_hash: str
) -> str:
    """Write a version's build context: `Dockerfile`, the dependencies file, `source/`.

    Returns the path relative to `root`. An existing complete folder is kept. Raises SourceError if
    the source changed since it was read, or for errors of the disk.
    """
    packages = language.dependencies
    has_dependencies_file = any(file.path == packages for file in source.files)
    name = f"{object_name(model, version)}-{content_hash[:_SHOWN_DIGITS]}"
    dockerfile = root / language.folder / MODEL_DOCKERFILE
    with os_errors_as_source_errors():
        extra = {
            "Dockerfile": dockerfile.read_bytes().replace(MODEL_PLACEHOLDER, model.encode()),
            packages: (source.folder / packages).read_bytes() if has_dependencies_file else b"",
        }
    return _stage(root, name, source, "source/", extra)


def _stage(root: Path, name: str, tree: SourceTree, prefix: str, extra: Mapping[str, bytes]) -> str:
    target = root / BUILD_DIR / name
    with os_errors_as_source_errors():
        atomic_directory.write_atomically(
            target,
            lambda folder: _is_whole(folder, tree, prefix, extra),
            lambda folder: _write(folder, tree, prefix, extra),
        )
    return f"{BUILD_DIR}/{name}"


def _is_whole(target: Path, tree: SourceTree, prefix: str, extra: Mapping[str, bytes]) -> bool:
    """Compare names, modes and sizes, and the small generated files byte by byte."""
    expected = {prefix + file.path: (_mode(file), file.size) for file in tree.files}
    expected |= {name: (_FILE, len(content)) for name, content in extra.items()}
    actual: dict[str, tuple[int, int]] = {}
    for parent, _, names in os.walk(target):
        for name in names:
            status = os.lstat(os.path.join(parent, name))
            path = os.path.relpath(os.path.join(parent, name), target)
            actual[path] = (stat.S_IMODE(status.st_mode), status.st_size)
    return actual == expected and all(
        (target / name).read_bytes() == content for name, content in extra.items()
    )


def _write(folder: Path, tree: SourceTree, prefix: str, extra: Mapping[str, bytes]) -> None:
    for file in tree.files:
        path = folder / prefix / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree.folder / file.path, path)
        path.chmod(_mode(file))
    # what was copied is part of the version, whichever rules chose it
    if read(folder / prefix, ALL_FILES).digest != tree.digest:
        raise SourceError(f"{tree.folder}: changed while it was read; run it again")
    for name, content in extra.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(_FILE)
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, _FOLDER)


def _mode(file: File) -> int:
    return _EXECUTABLE if file.executable else _FILE
