"""An R function as the handler that `model_harness` serves."""

from functools import partial
from typing import TypedDict, cast

from model_harness.binding.signature import Parameter, Signature
from model_harness.binding.table_binding import Arguments
from model_harness.errors import RequestError
from model_harness.runtime.handler import Handler
from model_harness.settings import Settings

from model_harness_r.pool.dispatcher import Dispatcher
from model_harness_r.pool.worker_pool import WorkerPool
from model_harness_r.serialization.serialize import na_of_column, serialize

DOTS = "..."

MEMORY_FACTOR = 3
"""An R list of empty lists takes 50 times its JSON, and twice while it is read."""


class Formals(TypedDict):
    """The formal arguments of the function, as worker.R reports them: four parallel lists."""

    names: list[str]
    required: list[bool]  # has no default
    constant: list[bool]  # the default is a constant
    values: list[object]  # the constants


def load(settings: Settings, pool: WorkerPool) -> Handler:
    """Wait until all R processes are ready. Raise StartupError."""
    dispatcher = Dispatcher()
    signature = signature_of(cast("Formals", pool.start(dispatcher)))
    encode = partial(encode_request, tuple(signature.order))
    start = partial(dispatcher.start, encode)
    return Handler(settings.handler, signature, start, MEMORY_FACTOR)


def signature_of(formals: Formals) -> Signature:
    """Return the signature by the rules of R: formals after `...` are keyword-only."""
    names = formals["names"]
    has_dots = DOTS in names
    dots = names.index(DOTS) if has_dots else len(names)
    columns = zip(names, formals["required"], formals["constant"], formals["values"], strict=True)
    parameters = [
        Parameter(
            name,
            required,
            keyword_only=position > dots,
            default=value if is_constant else None,
        )
        for position, (name, required, is_constant, value) in enumerate(columns)
        if name != DOTS
    ]
    return Signature(
        parameters,
        accepts_extra=has_dots,
        accepts_varargs=has_dots,
        null_cell=na_of_column,
    )


def encode_request(order: tuple[str, ...], arguments: Arguments) -> bytes:
    """Return the serialized arguments for R, with complete names: R must not match partially.

    Raise RequestError(400) for values that R cannot hold.
    """
    positional, named = arguments
    names, values = tuple(named), list(named.values())
    if positional:
        count = len(positional)
        unnamed = ("",) * (count - len(order))
        names, values = (*order[:count], *unnamed, *names), [*positional, *values]
    if "" in named or DOTS in named:
        raise RequestError(400, "the name of an argument is empty or '...'")
    return serialize(names, values)
