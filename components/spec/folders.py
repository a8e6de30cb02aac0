"""Checks of the source folders that versions name, before an image is built of them."""

import os
from collections.abc import Iterator
from pathlib import Path

from components.errors import Mistake, quote
from components.sources import problems
from components.spec.git_folders import GitFolders
from components.spec.handlers import handler_mistake
from components.spec.raw import inherited, mapping, text, versions


def mistakes(models: object, root: Path) -> Iterator[Mistake]:
    """Every mistake of this kind in the raw models; `root` is the project's folder."""
    in_git = GitFolders(root)
    for model, version, data in versions(models):
        at = ("models", model, "versions", version, "source")
        source = text(data.get("source"))
        if source is None:
            folder, refused = in_git.find(mapping(data, "source"), at)
        else:
            folder, refused = root / source, list(_folder_mistakes(root, source, at))
        yield from refused
        handler = inherited(models, model, data, "handler")
        if handler is not None and folder is not None and not refused:
            language = inherited(models, model, data, "language") or ""
            mistake = handler_mistake(folder, language, handler, at, (*at[:-1], "handler"))
            if mistake is not None:
                yield mistake


def _folder_mistakes(root: Path, source: str, at: tuple[str, ...]) -> Iterator[Mistake]:
    refusal = _refusal(root, source)
    if refusal is not None:
        yield Mistake(at, quote(source), refusal)
        return
    try:
        for problem in problems(root / source):
            yield Mistake(at, problem.found, problem.hint)
    except OSError as error:
        yield Mistake(at, quote(source), f"write a folder that can be read ({_reason(error)})")


def _refusal(root: Path, source: str) -> str | None:
    """Why this is no folder to take code from; None if it is one."""
    if not source:
        return "write a folder relative to the project, such as models/iris/v1"
    if os.path.isabs(source):
        return "write it relative to the project: the stack file is the same on every machine"
    try:
        real = os.path.realpath(root / source)
        base = os.path.realpath(root)
        if real == base or os.path.commonpath([real, base]) != base:
            return "write a folder inside the project; this leads out of it, or is all of it"
        if not os.path.lexists(root / source):
            return "create this folder, or write one that exists"
        if not os.path.isdir(real):
            return "write a folder; this is none"
    except (OSError, ValueError) as error:
        return f"write a folder that can be read ({_reason(error)})"
    return None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "no such name is possible"
