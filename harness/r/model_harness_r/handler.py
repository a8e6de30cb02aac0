"""A function of R as the handler that `model_harness` serves."""

from functools import partial
from typing import TypedDict, cast

from model_harness.errors import RefusedError
from model_harness.handler import Handler
from model_harness.rows import Arguments
from model_harness.settings import Settings
from model_harness.signature import Parameter, Signature

from model_harness_r.dispatcher import Dispatcher
from model_harness_r.pool import Pool
from model_harness_r.writer import write

REST = "..."


class Formals(TypedDict):
    """What worker.R says of the function: four lists of the same length."""

    names: list[str]
    required: list[bool]  # has no default
    known: list[bool]  # its default is a constant
    values: list[object]  # the constants


def load(settings: Settings, pool: Pool) -> Handler:
    """Wait for the processes. Raises StartupError."""
    dispatcher = Dispatcher()
    signature = signature_of(cast("Formals", pool.start(dispatcher)))
    request = partial(request_of, tuple(signature.order))
    return Handler(settings.handler, signature, partial(dispatcher.serve, request))


def signature_of(formals: Formals) -> Signature:
    """R's rules: what stands behind `...` can only be given by name."""
    names = formals["names"]
    rest = names.index(REST) if REST in names else len(names)
    columns = zip(names, formals["required"], formals["known"], formals["values"], strict=True)
    parameters = [
        Parameter(name, required, by_name=place > rest, default=value if known else None)
        for place, (name, required, known, value) in enumerate(columns)
        if name != REST
    ]
    has_rest = REST in names
    return Signature(parameters, takes_rest=has_rest, open_ended=has_rest)


def request_of(order: tuple[str, ...], arguments: Arguments) -> bytes:
    """Return what is sent to R, where names are given in full, never in part.

    Raises RefusedError(400) for what R cannot hold.
    """
    positional, named = arguments
    names, values = tuple(named), list(named.values())
    if positional:
        count = len(positional)
        unnamed = ("",) * (count - len(order))
        names, values = (*order[:count], *unnamed, *names), [*positional, *values]
    if "" in named or REST in named:
        raise RefusedError(400, "an argument's name is empty or '...'")
    return write(names, values)
