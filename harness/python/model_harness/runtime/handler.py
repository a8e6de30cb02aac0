"""Load the user's handler: import, instantiate and check it, with precise errors."""

import contextvars
import importlib
import importlib.util
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import cast

from model_harness.binding.signature import Signature
from model_harness.errors import StartupError
from model_harness.observability.log import logger
from model_harness.runtime.scheduler import CallScheduler
from model_harness.settings import Settings


@dataclass(frozen=True)
class Handler:
    """A loaded handler."""

    label: str
    signature: Signature
    connect: Callable[[CallScheduler], None]
    """Give the scheduler the function or an executor."""
    memory_factor: int = 1
    """The memory of a value in this language, relative to Python."""


def load(settings: Settings) -> Handler:
    """Import `<module>:<name>` from the working directory: a function, or a class with `predict`.

    Raise StartupError. An exception of the user's code is its cause, with the traceback for the
    log.
    """
    label = settings.handler
    module_name, _, attribute = label.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = _import_module(label, module_name, folder)
    if not hasattr(module, attribute):
        raise StartupError(
            f"handler {label}: module {module_name} has no {attribute!r}; it defines "
            f"{', '.join(_candidates(module)) or 'no function and no class'}"
        )
    target = getattr(module, attribute)
    if inspect.isclass(target):
        target = _instantiate(label, target)
    return _check(settings, target)


def _import_module(label: str, module_name: str, folder: str) -> object:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise StartupError(_missing_module_message(label, module_name, folder, error)) from error
    except BaseException as error:
        raise _startup_error(label, f"importing {module_name}", error) from error
    _check_origin(label, module, folder)
    return module


def _check_origin(label: str, module: ModuleType, folder: str) -> None:
    """Refuse a module of Python or of the harness that hides the one in the folder."""
    path = Path(folder, *module.__name__.split("."))
    files = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    actual = Path(getattr(module, "__file__", None) or "built-in")
    if files and actual.resolve() not in [file.resolve() for file in files]:
        raise StartupError(_hidden_message(label, module.__name__, files[0].relative_to(folder)))


def _hidden_message(label: str, module_name: str, path: Path | str) -> str:
    return (
        f"handler {label}: Python or the harness has a module {module_name!r}, too, which hides "
        f"{path}; rename {path}"
    )


def _missing_module_message(
    label: str, module_name: str, folder: str, error: ModuleNotFoundError
) -> str:
    """Distinguish a missing handler module from a missing dependency of it."""
    missing = error.name or ""
    if module_name == missing or module_name.startswith(missing + "."):
        path = missing.replace(".", "/")
        if Path(folder, f"{path}.py").is_file():
            return _hidden_message(label, missing.partition(".")[0], missing.partition(".")[0])
        return f"handler {label}: module {missing!r} does not exist in {folder} ({path}.py)"
    return (
        f"handler {label}: {module_name} imports {missing!r}, which is not installed; "
        "add it to the version's requirements.txt"
    )


def _startup_error(label: str, step: str, error: BaseException) -> StartupError:
    if isinstance(error, SystemExit):
        return StartupError(f"handler {label}: {step} ended the process (SystemExit: {error})")
    return StartupError(f"handler {label}: {step} raised {type(error).__name__}: {error}")


def _candidates(module: object) -> list[str]:
    """Return the functions and classes that the module defines, without its imports."""
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == getattr(module, "__name__", None)
    )


def _instantiate(label: str, handler_class: type) -> Callable[..., object]:
    """Create the instance, call its `load` method, and return its `predict` method."""
    predict = getattr(handler_class, "predict", None)
    if not callable(predict):
        raise StartupError(f"handler {label} is a class without a method predict; add one")
    load_method = getattr(handler_class, "load", None)
    if inspect.iscoroutinefunction(load_method):
        raise StartupError(
            f"handler {label}: load is async; it runs once, before any call: use a plain def"
        )
    instance = _call(label, handler_class.__name__, handler_class)
    if load_method is not None:
        _call(label, "load", getattr(instance, "load"))  # noqa: B009 - mypy does not know the attribute
    return cast("Callable[..., object]", getattr(instance, "predict"))  # noqa: B009 - as above


def _call(label: str, name: str, function: Callable[[], object]) -> object:
    """Call the constructor or `load` of the user's class. Raise StartupError."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C, or with a metaclass: call it anyway
        parameters = {}.values()
    required = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    if required:
        raise StartupError(
            f"handler {label}: {name} requires {', '.join(required)}, but is called without "
            "arguments; add defaults, or read environment variables"
        )
    try:
        return function()
    except BaseException as error:
        raise _startup_error(label, f"{name}()", error) from error


def _check(settings: Settings, target: object) -> Handler:
    label = settings.handler
    if not callable(target):
        raise StartupError(f"handler {label} is not callable: it is a {type(target).__name__}")
    functions = (target, getattr(target, "__call__", None))  # noqa: B004 - of an instance
    if any(map(inspect.isgeneratorfunction, functions)) or any(
        map(inspect.isasyncgenfunction, functions)
    ):
        raise StartupError(f"handler {label} is a generator; return a list instead of yielding")
    asynchronous = any(map(inspect.iscoroutinefunction, functions))
    if asynchronous and settings.threads > 1:
        raise StartupError(
            f"handler {label} is async and uses no threads: up to {settings.in_flight} calls "
            f"run at a time (limits.inFlight); remove threads: {settings.threads}"
        )
    signature = Signature.of(cast("Callable[..., object]", target), f"handler {label}")
    for warning in signature.warnings:
        logger.warning("handler %s: argument %s", label, warning)
    function = signature.with_field_defaults(cast("Callable[..., object]", target))

    # what loading set in context variables, for example by decimal.setcontext or numpy.seterr
    context = contextvars.copy_context()

    def connect(scheduler: CallScheduler) -> None:
        if asynchronous:
            from model_harness.runtime.event_loop import EventLoop  # noqa: PLC0415 - 3 MB that few handlers need

            coroutine_function = cast("Callable[..., Awaitable[object]]", function)
            scheduler.set_executor(EventLoop(coroutine_function, scheduler, context))
        elif settings.threads == 1:
            scheduler.set_function(partial(context.run, function))
        else:
            scheduler.set_function(_run_in_context_of_thread(function, context))

    return Handler(label, signature, connect)


def _run_in_context_of_thread(
    function: Callable[..., object], context: contextvars.Context
) -> Callable[..., object]:
    """Run each call in a copy of the context that belongs to its thread."""
    local = threading.local()

    def run(*positional: object, **named: object) -> object:
        try:
            thread_context: contextvars.Context = local.context
        except AttributeError:
            thread_context = local.context = context.copy()
        return thread_context.run(function, *positional, **named)

    return run
