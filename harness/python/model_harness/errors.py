"""The errors of the harness: those that end the start, and those that answer a request."""

from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = {}
RETRY_AFTER: Mapping[str, str] = {"retry-after": "1"}
MAX_QUOTED_CHARACTERS = 80
MAX_ERRORS = 20


def truncate(value: str) -> str:
    """Quote a value that a client sent, cut to `MAX_QUOTED_CHARACTERS`.

    Otherwise a name of 10 MB would come back as an error of 10 MB.
    """
    is_short = len(value) <= MAX_QUOTED_CHARACTERS
    return repr(value if is_short else value[:MAX_QUOTED_CHARACTERS] + "...")


class StartupError(Exception):
    """Raised when the model cannot be served. Its text becomes the termination message."""


class RequestError(Exception):
    """Raised to answer a request with an error instead of the result of the function.

    Carries the HTTP status, so that the code that detects a mistake also classifies it.
    """

    def __init__(self, status: int, *errors: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Create the error. `errors` has one sentence per mistake."""
        super().__init__("; ".join(errors))
        self.status = status
        self.errors = list(errors[:MAX_ERRORS])
        if len(errors) > MAX_ERRORS:
            self.errors.append(f"and {len(errors) - MAX_ERRORS} more")
        self.headers = headers


def too_many_requests(limit: int) -> RequestError:
    """Return the error for a call over the limit of calls in flight."""
    message = f"{limit} requests are in flight, which is the limit; try again"
    return RequestError(429, message, headers=RETRY_AFTER)
