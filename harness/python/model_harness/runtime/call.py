"""One call of the user's function: its arguments, its deadline and the errors of the function."""

from collections.abc import Callable
from contextlib import suppress

from model_harness.binding.table_binding import Invocation, Rows
from model_harness.errors import RequestError
from model_harness.http.response import Responder
from model_harness.observability.log import logger
from model_harness.protocols.encoders import ResultEncoder

MAX_MESSAGE_CHARACTERS = 2000  # of an exception in a response; the log has all of it


class Call:
    """A call between its request and its response."""

    __slots__ = ("arguments", "deadline", "encoder", "responder", "running_since")

    def __init__(
        self,
        responder: Responder,
        encoder: ResultEncoder,
        arguments: Invocation,
        deadline: float,
    ) -> None:
        """Create a queued call. `deadline` is in seconds of time.perf_counter."""
        self.responder = responder
        self.encoder = encoder
        self.arguments: Invocation | None = arguments  # None after the deadline
        self.deadline = deadline
        self.running_since = 0.0  # 0: not started

    def run_rows(self, function: Callable[..., object], rows: Rows) -> list[object]:
        """Return the result of each row; stop at the deadline."""
        results = []
        for positional, named in rows.calls:
            if self.arguments is None:
                raise _DeadlineExceededError
            results.append(function(*positional, **named))
        return results

    def is_timeout(self, error: BaseException) -> bool:
        """Return whether the timeout of the call caused this error."""
        return self.arguments is None and type(error).__name__ in _TIMEOUT_ERRORS

    def log_error(self, error: BaseException) -> RequestError:
        """Log an error of the function with its traceback; return the error for the client."""
        extra = {"request_id": self.responder.request_id}
        with suppress(Exception):  # the log must not prevent the response
            logger.error("the function failed", exc_info=error, extra=extra)
        try:
            message = str(error)
        except Exception:  # noqa: BLE001 - a broken __str__ of the user's exception
            message = "(the message of the exception is not available)"
        text = f"{type(error).__name__}: {message}" if message else type(error).__name__
        return RequestError(500, text[:MAX_MESSAGE_CHARACTERS])


class _DeadlineExceededError(Exception):
    """The deadline of a call passed before all rows were done."""


# CancelledError is asyncio's, which the harness does not import for plain functions.
_TIMEOUT_ERRORS = frozenset({_DeadlineExceededError.__name__, "CancelledError"})
