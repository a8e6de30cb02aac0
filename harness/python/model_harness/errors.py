"""The harness's own errors: what ends the start, and what refuses a request."""

from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = {}
SHOWN_CHARACTERS = 80
SHOWN_ERRORS = 20


def shown(value: str) -> str:
    """Quote what a client sent, cut: a name of 10 MB must not come back as an error of 10 MB."""
    return repr(value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "...")


class StartupError(Exception):
    """The model cannot be served; the text is what the pod's status will show."""


class RefusedError(Exception):
    """A request that is answered without (or instead of) the function's result.

    Carries its HTTP status, so that whoever finds the mistake also says what it is.
    """

    def __init__(self, status: int, *errors: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """`errors` has one sentence for each thing that is wrong."""
        super().__init__("; ".join(errors))
        self.status = status
        self.errors = list(errors[:SHOWN_ERRORS])
        if len(errors) > SHOWN_ERRORS:
            self.errors.append(f"and {len(errors) - SHOWN_ERRORS} more")
        self.headers = headers
