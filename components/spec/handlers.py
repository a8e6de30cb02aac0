"""Looks for the handler in the source, without importing anything: Pulumi never runs user code."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from components.errors import Mistake, closest, quote

Keys = tuple[str, ...]


def handler_mistake(folder: Path, handler: str, source_at: Keys, at: Keys) -> Mistake | None:
    """What is wrong with `<module>:<function>` in this folder; None also for another form."""
    module, _, function = handler.partition(":")
    parts = module.split(".")
    if not all(part.isidentifier() for part in [*parts, function]):
        return None  # the form is refused elsewhere
    candidates = [Path(*parts).with_suffix(".py"), Path(*parts, "__init__.py")]
    try:
        file = next((name for name in candidates if (folder / name).is_file()), None)
        if file is None:
            found = f"a folder without {candidates[0]}, which handler {quote(handler)} needs"
            return Mistake(source_at, found, "add the file, or change the handler")
        names = defined_names((folder / file).read_bytes())
    except SyntaxError as error:
        found = f"{file} with a syntax error in line {error.lineno}: {error.msg}"
        return Mistake(source_at, found, "mend the file")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return Mistake(
            source_at, f"{file} that cannot be read", f"mend it ({type(error).__name__})"
        )
    if names is None or function in names:
        return None
    meant = closest(function, sorted(names))
    hint = f"did you mean {meant}?" if meant else f"define {function} in it"
    return Mistake(at, f"{quote(handler)}, but {file} does not define {function}", hint)


def defined_names(source: bytes) -> set[str] | None:
    """The names a module binds at its top level; None if that cannot be known.

    Raises SyntaxError for what Python cannot read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's escapes; not for this terminal
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
    """All nodes outside functions and classes: a `try` or `if` may define the handler, too."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
