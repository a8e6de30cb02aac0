"""The files of a version, and the content hash.

The content hash is what makes a version immutable, so its format never changes: a change would
make every published version look changed. It is sha256 over fields, each preceded by its length
(8 bytes, big endian), so that no two contents can run into the same stream:

1. `model-deployment/content/1`
2. language, handler
3. the number of variables (8 bytes), then name and value of each, sorted by name
4. the tree's digest, itself sha256 over `model-deployment/tree/1`, the number of files (8 bytes),
   and for each file, sorted by its path's bytes: path relative to the source with `/`, `x` if
   the owner may execute it or `-`, sha256 of its bytes
5. the key `python`, only for a version that has it: one without it keeps the hash from before

A version from an image has the image's digest (32 bytes) instead of the tree's digest, and
`model-deployment/image-content/1` first: the same image in another registry is the same content.

The hash does not cover what may change under a published version: names and values of its secrets,
limits, replicas, resources, routes; nor times, owners, umask, empty folders and the project's path.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.errors import quote


@dataclass(frozen=True)
class IgnoreRules:
    """Names of files and folders that tools create, ignored at any depth.

    Rules never change, because that would change the content of published versions. To ignore more
    names, define new `RULES` and add the present ones to `OLDER_RULES`.
    """

    names: frozenset[str]
    suffixes: tuple[str, ...]
    prefixes: tuple[str, ...] = ()

    def includes(self, path: str) -> bool:
        """Return whether a file with this path, relative to the source, is part of it."""
        return not any(
            name in self.names or name.startswith(self.prefixes) or name.endswith(self.suffixes)
            for name in path.split("/")
        )


ORIGINAL_RULES = IgnoreRules(
    frozenset(
        {
            ".DS_Store",
            ".git",
            ".hypothesis",
            ".idea",
            ".ipynb_checkpoints",
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
            ".venv",
            ".vscode",
            "Thumbs.db",
            "__pycache__",
        }
    ),
    (".pyc", ".pyo", ".swp", "~"),
)
RULES = IgnoreRules(
    ORIGINAL_RULES.names
    | {
        ".RData",
        ".Rapp.history",
        ".Rhistory",
        ".Rproj.user",
        ".coverage",
        ".direnv",
        ".dockerignore",
        ".eggs",
        ".gitignore",
        ".nox",
        ".tox",
        "__MACOSX",
        "catboost_info",
        "desktop.ini",
        "htmlcov",
        "lightning_logs",
        "mlruns",
        "venv",
        "wandb",
    },
    (*ORIGINAL_RULES.suffixes, ".egg-info", ".swo"),
    (".#", "._", "#", ".nfs", ".Trash-"),
)
"""What is not part of a version that is published now. Do not edit: see IgnoreRules."""
OLDER_RULES = (ORIGINAL_RULES,)
"""By which published versions may have been read."""
ALL_FILES = IgnoreRules(frozenset(), ())
"""Ignores nothing."""
SECRET_NAMES = frozenset(
    {".aws", ".env", ".envrc", ".netrc", ".pgpass", ".pypirc", "id_ecdsa", "id_ed25519", "id_rsa"}
)
"""Names of files and folders with credentials, which must not get into an image."""
_KEY_SUFFIXES = (".key", ".pem")
_PRIVATE_KEY = b"PRIVATE KEY-----"

_OWNER_MAY_EXECUTE = 0o100


class SourceError(Exception):
    """Raised when a source cannot be read or changes meanwhile; the message has path and reason."""


@dataclass(frozen=True)
class Problem:
    """A file that an image cannot contain unchanged."""

    actual: str
    hint: str


NO_FILES = Problem("a folder without files", "put the handler's code in it")


@dataclass(frozen=True)
class File:
    """A file of a source: its relative path with `/`, and whether it is executable."""

    path: str
    executable: bool
    size: int


@dataclass(frozen=True)
class SourceTree:
    """The files of a folder, read once."""

    folder: Path
    files: tuple[File, ...]
    digest: str


def read(folder: Path, rules: IgnoreRules = RULES) -> SourceTree:
    """Read a folder. Raises SourceError for problems and for unreadable files."""
    try:
        refused = find_problems(folder, rules)
        if refused:
            raise SourceError(f"{folder}: found {refused[0].actual}; {refused[0].hint}")
        files: list[File] = []
        fields: list[bytes] = []
        for path in _sorted_paths(folder, rules):
            with open(folder / path, "rb") as stream:
                status = os.fstat(stream.fileno())
                digest = hashlib.file_digest(stream, "sha256").digest()
            executable = bool(status.st_mode & _OWNER_MAY_EXECUTE)
            files.append(File(path, executable, status.st_size))
            fields += [os.fsencode(path), b"x" if executable else b"-", digest]
    except OSError as error:
        raise SourceError(f"{error.filename or folder}: {error.strerror}") from error
    tree_digest = digest_of([b"model-deployment/tree/1", _number(len(files)), *fields])
    return SourceTree(folder, tuple(files), tree_digest)


def content_hash(
    tree: SourceTree,
    language: str,
    handler: str,
    environment: Mapping[str, str],
    python: str | None = None,
) -> str:
    """Return the content hash, 64 hexadecimal digits; the module describes its format."""
    fields = [bytes.fromhex(tree.digest)] + ([python.encode()] if python else [])
    return _content(b"model-deployment/content/1", language, handler, environment, fields)


def content_hash_of_image(
    image: str, language: str, handler: str, environment: Mapping[str, str]
) -> str:
    """Return the content hash of a version with a prebuilt image, `<name>@sha256:<digits>`."""
    fields = [bytes.fromhex(image.rpartition("@sha256:")[2])]
    return _content(b"model-deployment/image-content/1", language, handler, environment, fields)


def find_problems(folder: Path, rules: IgnoreRules = RULES) -> list[Problem]:
    """Return why a folder cannot be a source, by names and types of its files."""
    problems: list[Problem] = []
    empty = True
    for entry, path in _entries(folder, rules):
        empty = False
        if entry.is_symlink():
            problems.append(
                Problem(f"the symbolic link {quote(path)}", "replace it by the file itself")
            )
        elif not entry.is_file():
            problems.append(Problem(f"{quote(path)}, which is not a regular file", "remove it"))
    if empty:
        problems.append(NO_FILES)
    return problems


def find_secret_files(tree: SourceTree) -> list[str]:
    """Return the paths of files that contain credentials, by their names or a private key."""
    return [
        file.path
        for file in tree.files
        if SECRET_NAMES & set(file.path.split("/"))
        or (file.path.endswith(_KEY_SUFFIXES) and _has_private_key(tree.folder / file.path))
    ]


def _has_private_key(path: Path) -> bool:
    with path.open("rb") as file:
        return _PRIVATE_KEY in file.read(65536)


def digest_of(fields: Iterable[bytes]) -> str:
    """Return the sha256 of length-prefixed fields, so that no two lists have the same stream."""
    total = hashlib.sha256()
    for field in fields:
        total.update(_number(len(field)) + field)
    return total.hexdigest()


def _sorted_paths(folder: Path, rules: IgnoreRules) -> list[str]:
    paths = (path for entry, path in _entries(folder, rules) if entry.is_file())
    return sorted(paths, key=os.fsencode)


def _entries(
    folder: Path, rules: IgnoreRules, prefix: str = ""
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield the included files below a folder."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in ordered:
        if not rules.includes(entry.name):
            continue
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), rules, path + "/")
        else:
            yield entry, path


def _content(
    kind: bytes,
    language: str,
    handler: str,
    environment: Mapping[str, str],
    fields: Iterable[bytes],
) -> str:
    variables = [text.encode() for pair in sorted(environment.items()) for text in pair]
    number = _number(len(environment))
    return digest_of([kind, language.encode(), handler.encode(), number, *variables, *fields])


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")
