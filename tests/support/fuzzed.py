"""Functions for fuzzing, which raise for a malformed call."""


class MalformedError(Exception):
    """A call that the signature does not allow."""


def by_value(a: float, b: int = 1, *, c: str | None = None) -> float:
    """Take single values and verify their types."""
    if type(a) not in {float, int} or type(b) is not int or type(c) not in {str, type(None)}:
        raise MalformedError
    return 1.5


def by_column(a: list[float], b: list) -> list[float]:
    """Take whole columns."""
    if type(a) is not list or type(b) is not list or not all(type(value) is float for value in a):
        raise MalformedError
    return a
