"""Check that the source defines the handler, without importing it: Pulumi never runs user code."""

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from components.errors import ConfigIssue, closest_match, quote
from components.languages import LANGUAGES, R, handler_files, is_handler

Keys = tuple[str, ...]

_R_NAME = re.compile(r"[A-Za-z.][A-Za-z0-9._]*")
_R_READS = frozenset({"source", "sys.source", "load"})
"""R functions that may define names of other files."""


def find_handler_issue(
    folder: Path, language: str, handler: str, source_at: Keys, at: Keys
) -> ConfigIssue | None:
    """Return the issue of a handler in this folder; None for an unknown form or language."""
    language_rules = LANGUAGES.get(language)
    if language_rules is None or not is_handler(handler, language_rules):
        return None  # refused by another check
    function = handler.partition(":")[2]
    candidates = handler_files(language, handler)
    names_in = mentioned_names if language_rules is R else defined_names
    try:
        file = next((name for name in candidates if (folder / name).is_file()), None)
        if file is None:
            actual = f"a folder without {candidates[0]}, which handler {quote(handler)} needs"
            return ConfigIssue(source_at, actual, "add the file, or change the handler")
        names = names_in((folder / file).read_bytes())
    except SyntaxError as error:
        actual = f"{file} with a syntax error in line {error.lineno}: {error.msg}"
        return ConfigIssue(source_at, actual, "fix the file")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return ConfigIssue(
            source_at, f"{file} that cannot be read", f"mend it ({type(error).__name__})"
        )
    if names is None or function in names:
        return None
    meant = closest_match(function, sorted(names))
    hint = f"did you mean {meant}?" if meant else f"define {function} in it"
    return ConfigIssue(at, f"{quote(handler)}, but {file} does not define {function}", hint)


def mentioned_names(source: bytes) -> set[str] | None:
    """Return the names in an R file that may define the handler; None if it sources other files.

    R code is not parsed here, but a name that does not occur in the file is not defined in it.
    """
    names = set(_R_NAME.findall(source.decode(errors="replace")))
    return None if names & _R_READS else names


def defined_names(source: bytes) -> set[str] | None:
    """Return the names that a module binds at its top level; None if they are unknown.

    Raises SyntaxError for invalid Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the user's escape sequences
        module = ast.parse(source)
    names: set[str] = set()
    for node in _at_module_level(module):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.ImportFrom() if any(alias.name == "*" for alias in node.names):
                return None
            case ast.Import() | ast.ImportFrom():
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
    return None if "__getattr__" in names else names


def _at_module_level(module: ast.Module) -> Iterator[ast.AST]:
    """Yield all nodes outside functions and classes, including those in `try` and `if`."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
