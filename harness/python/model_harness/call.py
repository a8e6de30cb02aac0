"""One call of the user's function: its arguments, its time, and what becomes of its errors."""

from collections.abc import Callable
from typing import Protocol

from model_harness.errors import RefusedError
from model_harness.exchange import Content, Exchange
from model_harness.log import logger
from model_harness.rows import Invocation, Rows

MESSAGE_CHARACTERS = 2000  # of an exception; the whole of it is in the log


class ResultEncoder(Protocol):
    """The part of a dialect that a finished call needs."""

    def success(self, result: object, seconds: float, request_id: str) -> bytes | Content:
        """Return the body of a 200. Raises TypeError where the result cannot be encoded."""


class Call:
    """Arguments on their way to the function."""

    __slots__ = ("arguments", "deadline", "encoder", "exchange", "running_since")

    def __init__(
        self,
        exchange: Exchange,
        encoder: ResultEncoder,
        arguments: Invocation,
        deadline: float,
    ) -> None:
        """`deadline` is in time.perf_counter's seconds."""
        self.exchange = exchange
        self.encoder = encoder
        self.arguments: Invocation | None = arguments  # None once its time is over
        self.deadline = deadline
        self.running_since = 0.0  # not yet

    def each_row(self, function: Callable[..., object], rows: Rows) -> list[object]:
        """Return the function's results, unless the time of the call is over in between."""
        results = []
        for positional, named in rows.calls:
            if self.arguments is None:
                raise _GoneError
            results.append(function(*positional, **named))
        return results

    def ended_by_time(self, error: BaseException) -> bool:
        """Whether an error is but the end that the time-out made of the call."""
        return self.arguments is None and type(error).__name__ in _ENDED

    def failure(self, error: BaseException) -> RefusedError:
        """Log the traceback of the function's error; the client gets type and message."""
        extra = {"request_id": self.exchange.request_id}
        logger.error("the function failed", exc_info=error, extra=extra)
        try:
            message = str(error)
        except Exception:  # noqa: BLE001 - a broken __str__ of the user's exception
            message = "(its message cannot be shown)"
        text = f"{type(error).__name__}: {message}" if message else type(error).__name__
        return RefusedError(500, text[:MESSAGE_CHARACTERS])


class _GoneError(Exception):
    """The time of a call was over before all of its rows were done."""


_ENDED = frozenset({_GoneError.__name__, "CancelledError"})  # the latter is asyncio's
