"""Checks of the source folders of versions, before images are built from them."""

import os
from collections.abc import Iterator
from pathlib import Path

from components.config.checks.git_folders import GitFolders
from components.config.checks.handlers import find_handler_issue
from components.config.untyped import as_dict, as_str, inherited, versions
from components.errors import ConfigIssue, quote
from components.sources import find_problems


def find_issues(models: object, root: Path) -> Iterator[ConfigIssue]:
    """Yield every issue of this kind in raw models; `root` is the project's folder."""
    in_git = GitFolders(root)
    for model, version, data in versions(models):
        at = ("models", model, "versions", version, "source")
        source = as_str(data.get("source"))
        if source is None:
            folder, refused = in_git.find(as_dict(data, "source"), at)
        else:
            folder, refused = root / source, list(_folder_issues(root, source, at))
        yield from refused
        handler = inherited(models, model, data, "handler")
        if handler is not None and folder is not None and not refused:
            language = inherited(models, model, data, "language") or ""
            issue = find_handler_issue(folder, language, handler, at, (*at[:-1], "handler"))
            if issue is not None:
                yield issue


def _folder_issues(root: Path, source: str, at: tuple[str, ...]) -> Iterator[ConfigIssue]:
    reason = _refusal(root, source)
    if reason is not None:
        yield ConfigIssue(at, quote(source), reason)
        return
    try:
        for problem in find_problems(root / source):
            yield ConfigIssue(at, problem.actual, problem.hint)
    except OSError as error:
        yield ConfigIssue(at, quote(source), f"write a folder that can be read ({_reason(error)})")


def _refusal(root: Path, source: str) -> str | None:
    """Return why a path is not a valid source folder; None if it is valid."""
    if not source:
        return "write a folder relative to the project, such as models/iris/v1"
    if os.path.isabs(source):
        return "write it relative to the project: the stack file is the same on every machine"
    try:
        real = os.path.realpath(root / source)
        base = os.path.realpath(root)
        if real == base or os.path.commonpath([real, base]) != base:
            return (
                "write a folder inside the project; this path is outside of "
                "it or the project itself"
            )
        if not os.path.lexists(root / source):
            return "create this folder, or write one that exists"
        if not os.path.isdir(real):
            return "write a folder; this is not a folder"
    except (OSError, ValueError) as error:
        return f"write a folder that can be read ({_reason(error)})"
    return None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "no such name is possible"
