"""The user's function: imported and checked at the start, with exact messages."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from model_harness.errors import StartupError
from model_harness.signature import Signature


@dataclass(frozen=True)
class Handler:
    """A function that can be called with the contract's arguments."""

    label: str
    call: Callable[..., object]
    signature: Signature


def load(label: str) -> Handler:
    """Import `<module>:<function>` from the working directory.

    Raises StartupError. What the module itself raises while it is imported keeps its traceback
    as the error's cause, for the log.
    """
    module_name, _, attribute = label.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise StartupError(_not_found(label, module_name, folder, error)) from error
    except SystemExit as error:
        message = (
            f"handler {label}: importing {module_name} ended the process (SystemExit: {error})"
        )
        raise StartupError(message) from error
    except Exception as error:
        kind = type(error).__name__
        message = f"handler {label}: importing {module_name} raised {kind}: {error}"
        raise StartupError(message) from error
    if not hasattr(module, attribute):
        raise StartupError(
            f"handler {label}: module {module_name} has no {attribute!r}; it defines "
            f"{', '.join(_functions(module)) or 'no function'}"
        )
    return _checked(label, getattr(module, attribute))


def _not_found(label: str, module_name: str, folder: str, error: ModuleNotFoundError) -> str:
    """Tell "your module is not there" from "your module imports one that is not there"."""
    missing = error.name or ""
    if module_name == missing or module_name.startswith(missing + "."):
        path = missing.replace(".", "/")
        return f"handler {label}: there is no module {missing!r} in {folder} ({path}.py)"
    return (
        f"handler {label}: {module_name} imports {missing!r}, which is not installed; "
        "add it to the version's requirements.txt"
    )


def _functions(module: object) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and inspect.isfunction(value)
    )


def _checked(label: str, found: object) -> Handler:
    if not callable(found):
        raise StartupError(f"handler {label} is not callable: it is a {type(found).__name__}")
    if inspect.isclass(found):
        raise StartupError(f"handler {label} is a class; that is not yet supported, use a function")
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise StartupError(f"handler {label} is async; that is not yet supported, use a plain def")
    if inspect.isgeneratorfunction(found):
        raise StartupError(f"handler {label} is a generator; return a list instead of yielding")
    call = cast("Callable[..., object]", found)
    return Handler(label, call, Signature(call, f"handler {label}"))
