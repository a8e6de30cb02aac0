"""Checks of sources in Git; only versions with such a source call Git."""

from pathlib import Path

from pydantic import TypeAdapter

from components.config.git_types import GitFolder, GitRef
from components.config.untyped import as_str, is_valid
from components.errors import ConfigIssue
from components.git_sources import GitSourceError, check_out, resolve
from components.sources import Problem, SourceError

_FOLDER: TypeAdapter[str] = TypeAdapter(GitFolder)
_REF: TypeAdapter[str] = TypeAdapter(GitRef)
_Refused = tuple[Problem, ...]


class GitFolders:
    """Reads each ref and each folder of a commit from Git once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._commits: dict[str, str | _Refused] = {}
        self._folders: dict[tuple[str, str], Path | _Refused] = {}

    def find(
        self, source: dict[str, object], at: tuple[str, ...]
    ) -> tuple[Path | None, list[ConfigIssue]]:
        """Return the files of `{path, ref}`, or the issues of a source that Git does not have."""
        path, ref = as_str(source.get("path")), as_str(source.get("ref"))
        if not (is_valid(_FOLDER, path) and is_valid(_REF, ref)):
            return None, []  # refused by another check
        commit = self._commit(_REF.validate_python(ref))
        if isinstance(commit, tuple):
            return None, _to_issues(commit, (*at, "ref"))
        folder = self._folder(_FOLDER.validate_python(path), commit)
        if isinstance(folder, tuple):
            return None, _to_issues(folder, (*at, "path"))
        return folder, []

    def _commit(self, ref: str) -> str | _Refused:
        if ref not in self._commits:
            try:
                self._commits[ref] = resolve(self._root, ref)
            except SourceError as error:
                self._commits[ref] = _problems(error)
        return self._commits[ref]

    def _folder(self, path: str, commit: str) -> Path | _Refused:
        if (path, commit) not in self._folders:
            try:
                self._folders[path, commit] = check_out(self._root, path, commit)
            except SourceError as error:
                self._folders[path, commit] = _problems(error)
        return self._folders[path, commit]


def _problems(error: SourceError) -> _Refused:
    if isinstance(error, GitSourceError):
        return error.problems
    return (Problem(f"a source that cannot be read ({error})", "fix the reported problem"),)


def _to_issues(problems: _Refused, at: tuple[str, ...]) -> list[ConfigIssue]:
    return [ConfigIssue(at, problem.actual, problem.hint) for problem in problems]
