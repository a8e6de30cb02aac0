"""The user's handler: imported, made and checked at the start, with exact messages."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from model_harness.calls import Calls
from model_harness.errors import StartupError
from model_harness.settings import Settings
from model_harness.signature import Signature


@dataclass(frozen=True)
class Handler:
    """A function that can be called with the contract's arguments."""

    label: str
    signature: Signature
    connect: Callable[[Calls], None]
    """Tell the line of calls who runs them."""


def load(settings: Settings) -> Handler:
    """Import `<module>:<name>` from the working directory: a function, or a class with `predict`.

    Raises StartupError. What the user's code itself raises keeps its traceback as the error's
    cause, for the log.
    """
    label = settings.handler
    module_name, _, attribute = label.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = _imported(label, module_name, folder)
    if not hasattr(module, attribute):
        raise StartupError(
            f"handler {label}: module {module_name} has no {attribute!r}; it defines "
            f"{', '.join(_candidates(module)) or 'no function and no class'}"
        )
    found = getattr(module, attribute)
    if inspect.isclass(found):
        found = _made(label, found)
    return _checked(settings, found)


def _imported(label: str, module_name: str, folder: str) -> object:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise StartupError(_not_found(label, module_name, folder, error)) from error
    except (Exception, SystemExit) as error:
        raise _raised(label, f"importing {module_name}", error) from error


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


def _raised(label: str, doing: str, error: BaseException) -> StartupError:
    if isinstance(error, SystemExit):
        return StartupError(f"handler {label}: {doing} ended the process (SystemExit: {error})")
    return StartupError(f"handler {label}: {doing} raised {type(error).__name__}: {error}")


def _candidates(module: object) -> list[str]:
    """Return what the module itself defines; what it imports is hardly meant."""
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == getattr(module, "__name__", None)
    )


def _made(label: str, kind: type) -> Callable[..., object]:
    """Make the one instance, load it, and return its `predict`."""
    predict = getattr(kind, "predict", None)
    if not callable(predict):
        raise StartupError(f"handler {label} is a class without a method predict; write one")
    load_method = getattr(kind, "load", None)
    if inspect.iscoroutinefunction(load_method):
        raise StartupError(
            f"handler {label}: load is async; it runs once, before any call: use a plain def"
        )
    instance = _call(label, kind.__name__, kind)
    if load_method is not None:
        _call(label, "load", getattr(instance, "load"))  # noqa: B009 - an object has no such name
    return cast("Callable[..., object]", getattr(instance, "predict"))  # noqa: B009 - the same


def _call(label: str, name: str, function: Callable[[], object]) -> object:
    """Call what the user's class brings for the start, and tell what is wrong with it."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C, or with a metaclass of its own: just try
        parameters = {}.values()
    needed = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    if needed:
        raise StartupError(
            f"handler {label}: {name} needs {', '.join(needed)}, but nobody gives arguments at the "
            "start; give them defaults, or read environment variables"
        )
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise _raised(label, f"{name}()", error) from error


def _checked(settings: Settings, found: object) -> Handler:
    label = settings.handler
    if not callable(found):
        raise StartupError(f"handler {label} is not callable: it is a {type(found).__name__}")
    bodies = (found, getattr(found, "__call__", None))  # noqa: B004 - an instance's own method
    if any(map(inspect.isgeneratorfunction, bodies)) or any(
        map(inspect.isasyncgenfunction, bodies)
    ):
        raise StartupError(f"handler {label} is a generator; return a list instead of yielding")
    asynchronous = any(map(inspect.iscoroutinefunction, bodies))
    if asynchronous and settings.threads > 1:
        raise StartupError(
            f"handler {label} is async, which needs no threads: up to {settings.in_flight} calls "
            f"run at a time (limits.inFlight); remove threads: {settings.threads}"
        )
    call = cast("Callable[..., object]", found)

    def connect(calls: Calls) -> None:
        if asynchronous:
            from model_harness.event_loop import EventLoop  # noqa: PLC0415 - 3 MB that few need

            calls.hand_to(EventLoop(cast("Callable[..., Awaitable[object]]", call), calls))
        else:
            calls.use(call)

    return Handler(label, Signature.of(call, f"handler {label}"), connect)
