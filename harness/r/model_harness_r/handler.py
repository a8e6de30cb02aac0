"""A function of R as the handler that `model_harness` serves."""

import os
from collections.abc import Callable
from typing import TypedDict, cast

from model_harness.call import running
from model_harness.errors import RefusedError
from model_harness.handler import Handler
from model_harness.settings import Settings
from model_harness.signature import Parameter, Signature

from model_harness_r.errors import TooLongError, condition
from model_harness_r.pool import Pool
from model_harness_r.process import RESULT, Answer
from model_harness_r.reader import read
from model_harness_r.writer import write

REST = "..."


class Formals(TypedDict):
    """What worker.R says of the function: four lists of the same length."""

    names: list[str]
    required: list[bool]  # has no default
    known: list[bool]  # its default is a constant
    values: list[object]  # the constants


def load(settings: Settings, workers: int) -> Handler:
    """Start the processes. Raises StartupError."""
    label = settings.handler
    pool = Pool(label, workers, os.environ)
    formals = cast("Formals", pool.start())
    signature = signature_of(formals)
    return Handler(label, caller(pool.ask, signature, settings.timeout_seconds), signature)


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


def caller(
    ask: Callable[[bytes, float], Answer], signature: Signature, timeout_seconds: float
) -> Callable[..., object]:
    """Return the function that stands for R's. Names are given to R in full, never in part."""
    order = tuple(signature.order)

    # No parameters of its own: a user's argument may have any name.
    def call(*positional: object, **named: object) -> object:
        names, values = tuple(named), list(named.values())
        if positional:
            count = len(positional)
            unnamed = ("",) * (count - len(order))
            names, values = (*order[:count], *unnamed, *names), [*positional, *values]
        if "" in named or REST in named:
            raise RefusedError(400, "an argument's name is empty or '...'")
        try:
            answer = ask(write(names, values), running.call.deadline)
        except TooLongError:
            message = f"the function took longer than {timeout_seconds:g} s"
            raise RefusedError(504, message) from None
        if answer.kind == RESULT:
            return read(answer.data)
        told = cast("dict[str, str]", read(answer.data))
        raise condition(told["class"], told["message"], told["trace"])

    return call
