"""The errors of the harness: those that end the start, and those that answer a request."""

from collections.abc import Callable, Mapping, Sequence

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


def encodable(text: str) -> str:
    """Replace surrogates, which UTF-8 cannot encode: a client may send half of an emoji."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class Omitted(str):
    """The number of sentences that were not built."""

    number: int

    def __new__(cls, number: int) -> "Omitted":
        """Create the sentence `and <number> more`."""
        sentence = super().__new__(cls, f"and {number} more")
        sentence.number = number
        return sentence


def first_errors(names: Sequence[str], sentence: Callable[[str], str]) -> list[str]:
    """Return a sentence for each of the first names, and the number of the others.

    A request may have a million wrong names: sentences for all of them would take all memory.
    """
    errors = [sentence(name) for name in names[:MAX_ERRORS]]
    omitted = len(names) - len(errors)
    return [*errors, Omitted(omitted)] if omitted else errors


class StartupError(Exception):
    """Raised when the model cannot be served. Its text becomes the termination message."""


class RequestError(Exception):
    """Raised to answer a request with an error instead of the result of the function.

    Carries the HTTP status, so that the code that detects a mistake also classifies it.
    """

    def __init__(self, status: int, *errors: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Create the error. `errors` has one sentence per mistake."""
        omitted = sum(error.number for error in errors if isinstance(error, Omitted))
        sentences = [encodable(error) for error in errors if not isinstance(error, Omitted)]
        omitted += max(0, len(sentences) - MAX_ERRORS)
        sentences = [*sentences[:MAX_ERRORS], *([Omitted(omitted)] if omitted else [])]
        super().__init__("; ".join(sentences))
        self.status = status
        self.errors = sentences
        self.headers = headers


def too_many_requests(limit: int) -> RequestError:
    """Return the error for a call over the limit of calls in flight."""
    message = f"{limit} requests are in flight, which is the limit; try again"
    return RequestError(429, message, headers=RETRY_AFTER)
