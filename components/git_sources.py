"""Sources at a commit of the project's repository, read without touching the work tree.

The files are the blobs themselves: `git archive` and a checkout would apply attributes and the
user's settings (line ends, filters), and the same commit would differ between machines. They
are stored below `.build/` once per folder and commit, and verified before each use.
"""

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from components import atomic_directory
from components.build_context import BUILD_DIR
from components.errors import quote
from components.sources import (
    NO_FILES,
    ORIGINAL_RULES,
    RULES,
    IgnoreRules,
    Problem,
    SourceError,
    SourceTree,
    os_errors_as_source_errors,
    read,
)

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SHOWN_DIGITS = 12
_SHA1_DIGITS = 40
_SYMBOLIC_LINK, _SUBMODULE, _EXECUTABLE = b"120000", b"160000", b"100755"
_CHUNK = 1 << 20
_GIT_EXITED = "git: ended before it gave the whole file"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"


class GitSourceError(SourceError):
    """Raised when a tag, commit or folder in Git cannot be a source."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(
            "; ".join(f"found {problem.actual}, {problem.hint}" for problem in problems)
        )


@dataclass(frozen=True)
class _Blob:
    """A file of a commit: its path relative to the source, and its blob id."""

    path: str
    executable: bool
    name: str


def resolve(root: Path, ref: str) -> str:
    """Return the full commit id of a tag or an abbreviated commit id.

    Raises GitSourceError for anything else, including branches, which are not immutable.
    """
    tagged = _commit(root, f"refs/tags/{ref}")
    if tagged:
        return tagged
    if _COMMIT.fullmatch(ref):
        commit = _commit(root, ref)
        if commit.startswith(ref):  # otherwise it is a branch of that name
            return commit
    if _git(root, "for-each-ref", f"refs/heads/{ref}", f"refs/remotes/*/{ref}"):
        hint = "write a tag or a commit: a branch can move, a version must not"
        raise GitSourceError(Problem(f"the branch {quote(ref)}", hint))
    hint = "write one that exists, or fetch it: git fetch --tags"
    raise GitSourceError(
        Problem(f"{quote(ref)}, which is not a tag or commit of this repository", hint)
    )


def read_git(root: Path, path: str, commit: str, rules: IgnoreRules = RULES) -> SourceTree:
    """Return the files of a folder at a commit. Raises SourceError as `check_out` and `read` do."""
    return read(check_out(root, path, commit), rules)


def check_out(root: Path, path: str, commit: str) -> Path:
    """Return a folder below `.build/` with exactly the files of `path` at this commit.

    `path` is relative to `root`, the project's folder, which may be a subfolder of the repository.
    Raises GitSourceError for files that an image cannot contain unchanged, such as links.
    """
    blobs = _list(root, path, commit)
    digits = hashlib.sha256(os.fsencode(path)).hexdigest()[:_SHOWN_DIGITS]
    target = root / BUILD_DIR / f"git-{commit[:_SHOWN_DIGITS]}-{digits}"
    with os_errors_as_source_errors(target):
        atomic_directory.write_atomically(
            target,
            lambda folder: _is_whole(folder, blobs),
            lambda folder: _write(root, folder, blobs),
        )
    return target


def _commit(root: Path, name: str) -> str:
    """Return the commit of this name; empty if there is none."""
    return _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()


def _list(root: Path, path: str, commit: str) -> list[_Blob]:
    blobs: list[_Blob] = []
    refused: list[Problem] = []
    try:
        listing = _git(root, "ls-tree", "-r", "-z", "--full-tree", f"{commit}:./{path}")
    except GitSourceError as error:
        actual = f"{quote(path)}, which is not a folder at that commit"
        raise GitSourceError(Problem(actual, "write a folder that the commit has")) from error
    for line in listing.split(b"\0")[:-1]:
        about, _, raw_name = line.partition(b"\t")
        mode, _, blob = about.split(b" ")
        name = os.fsdecode(raw_name)
        if not ORIGINAL_RULES.includes(name):  # `read` applies the newer rules
            continue
        if mode == _SYMBOLIC_LINK:
            hint = "replace it by the file itself"
            refused.append(Problem(f"the symbolic link {quote(name)}", hint))
        elif mode == _SUBMODULE:
            refused.append(Problem(f"the submodule {quote(name)}", "replace it by its files"))
        else:
            blobs.append(_Blob(name, mode == _EXECUTABLE, blob.decode()))
    if refused or not blobs:
        raise GitSourceError(*(refused or [NO_FILES]))
    return blobs


def _is_whole(folder: Path, blobs: Sequence[_Blob]) -> bool:
    """Return whether the folder equals the commit, byte by byte."""
    expected = {blob.path: blob for blob in blobs}
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    if {str(file.relative_to(folder)) for file in files} != expected.keys():
        return False
    for file in files:
        blob, mode = expected[str(file.relative_to(folder))], file.lstat().st_mode
        if not stat.S_ISREG(mode) or bool(mode & stat.S_IXUSR) != blob.executable:
            return False
        if _blob_name(file, blob.name) != blob.name:
            return False
    return True


def _blob_name(file: Path, expected_name: str) -> str:
    """Return the blob id of a file, by the repository's hash function."""
    kind = "sha1" if len(expected_name) == _SHA1_DIGITS else "sha256"
    digest = hashlib.new(kind, usedforsecurity=False)
    digest.update(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write(root: Path, folder: Path, blobs: Sequence[_Blob]) -> None:
    """Write the files. Raises SourceError if Git fails, or for files that no image can contain."""
    try:
        _write_blobs(root, folder, blobs)
    except BrokenPipeError:
        raise SourceError(_GIT_EXITED) from None
    pointers = [blob.path for blob in blobs if _is_lfs_pointer(folder / blob.path)]
    if pointers:
        hint = "put the file itself into Git, or write a folder as the source"
        raise GitSourceError(
            *(Problem(f"{quote(name)}, a pointer of Git LFS", hint) for name in pointers)
        )


def _write_blobs(root: Path, folder: Path, blobs: Sequence[_Blob]) -> None:
    """Stream all files from one Git process, without holding them in memory."""
    command = ["git", "--no-replace-objects", "cat-file", "--batch"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe) as git:
        if git.stdin is None or git.stdout is None:
            raise SourceError("git: no pipe to it")
        for blob in blobs:
            git.stdin.write(blob.name.encode() + b"\n")
            git.stdin.flush()
            header = git.stdout.readline().split()
            if not header:
                raise SourceError(_GIT_EXITED)
            if header[-1] == b"missing":
                raise SourceError(f"git: {blob.path} is missing in this clone; fetch it")
            file = folder / blob.path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                _copy(git.stdout, stream, int(header[-1]))
            git.stdout.read(1)
            file.chmod(0o755 if blob.executable else 0o644)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        chunk = source.read(min(size, _CHUNK))
        if not chunk:
            raise SourceError(_GIT_EXITED)
        target.write(chunk)
        size -= len(chunk)


def _is_lfs_pointer(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(_LFS_POINTER)) == _LFS_POINTER


def _git(root: Path, *arguments: str) -> bytes:
    """Return Git's output; empty if Git finds nothing."""
    command = ["git", "--no-replace-objects", *arguments]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    except OSError as error:
        raise SourceError(f"git: {error.strerror}") from error
    if done.returncode and done.stderr:
        reason = done.stderr.decode(errors="replace").splitlines()[0]
        raise GitSourceError(Problem(f"no answer from Git ({reason})", "fix the reported problem"))
    return b"" if done.returncode else done.stdout
