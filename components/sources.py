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

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components import ignore_file
from components.errors import quote
from components.ignore_file import IgnoreFile


@dataclass(frozen=True)
class IgnoreRules:
    """Names of files and folders that tools create, ignored at any depth.

    `reads_ignore_file` tells whether the patterns of the source's `.dockerignore` apply as well.

    Rules never change, because that would change the content of published versions. To ignore more
    names, define new `RULES` and add the present ones to `OLDER_RULES`.
    """

    names: frozenset[str]
    suffixes: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    reads_ignore_file: bool = False

    def includes(self, path: str) -> bool:
        """Return whether the names allow a file, by its path relative to the source."""
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
NAME_RULES = IgnoreRules(
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
RULES = dataclasses.replace(NAME_RULES, reads_ignore_file=True)
"""What is not part of a version that is published now. Do not edit: see IgnoreRules."""
OLDER_RULES = (ORIGINAL_RULES, NAME_RULES)
"""By which published versions may have been read."""
ALL_FILES = IgnoreRules(frozenset(), ())
"""Ignores nothing."""
SECRET_NAMES = frozenset(
    {
        ".aws",
        ".env",
        ".envrc",
        ".git-credentials",
        ".kube",
        ".netrc",
        ".pgpass",
        ".pypirc",
        ".ssh",
        "credentials.json",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "id_rsa",
    }
)
"""Names of files and folders with credentials, which must not get into an image."""
_KEY_SUFFIXES = (".json", ".key", ".pem")
"""Of files that are refused if they contain a private key; cloud keys are JSON."""
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
_ALL_IGNORED = Problem(
    f"a folder without files, except those that its {ignore_file.NAME} lists",
    f"remove patterns from {ignore_file.NAME}",
)


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


@contextlib.contextmanager
def os_errors_as_source_errors(default: Path | None = None) -> Iterator[None]:
    """Report a full disk or a deleted file without a traceback, by its path or `default`."""
    try:
        yield
    except OSError as error:
        raise SourceError(f"{error.filename or default}: {error.strerror}") from error


def read(folder: Path, rules: IgnoreRules = RULES) -> SourceTree:
    """Read a folder. Raises SourceError for problems and for unreadable files."""
    with os_errors_as_source_errors(folder):
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
    try:
        ignored = _ignored(folder, rules)
    except ignore_file.PatternError as error:
        return [Problem(f"the pattern {error}, which Docker refuses", "complete or remove it")]
    problems: list[Problem] = []
    if rules.reads_ignore_file and (folder / ignore_file.NAME).is_symlink():
        problems.append(_is_link(ignore_file.NAME))
    empty = True
    for entry, path in _entries(folder, rules, ignored):
        empty = False
        if entry.is_symlink():
            problems.append(_is_link(path))
        elif not entry.is_file():
            problems.append(Problem(f"{quote(path)}, which is not a regular file", "remove it"))
    if empty:
        problems.append(_ALL_IGNORED if ignored.patterns else NO_FILES)
    return problems


def _is_link(path: str) -> Problem:
    return Problem(f"the symbolic link {quote(path)}", "replace it by the file itself")


def read_ignore_file(folder: Path) -> IgnoreFile:
    """Return the patterns of a source's `.dockerignore`. Raises OSError and PatternError."""
    path = folder / ignore_file.NAME
    if path.is_symlink() or not path.is_file():  # `find_problems` refuses a link
        return IgnoreFile()
    return ignore_file.parse(path.read_text(encoding="utf-8", errors="surrogateescape"))


def _ignored(folder: Path, rules: IgnoreRules) -> IgnoreFile:
    return read_ignore_file(folder) if rules.reads_ignore_file else IgnoreFile()


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
    ignored = _ignored(folder, rules)
    paths = (path for entry, path in _entries(folder, rules, ignored) if entry.is_file())
    return sorted(paths, key=os.fsencode)


def _entries(
    folder: Path, rules: IgnoreRules, ignored: IgnoreFile, prefix: str = ""
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield the included files below a folder."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in ordered:
        if not rules.includes(entry.name):
            continue
        path = prefix + entry.name
        is_ignored = ignored.matches(path)
        if entry.is_dir(follow_symlinks=False):
            if not is_ignored or ignored.has_exceptions:
                yield from _entries(Path(entry.path), rules, ignored, path + "/")
        elif not is_ignored:
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
