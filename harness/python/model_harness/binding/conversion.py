"""What every kind of type hint shares: converters and their errors."""

import types
from collections.abc import Callable

JSON_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    types.NoneType: "null",
}
NAN = float("nan")
_END_OF_INTEGERS = 2.0**63  # integers have 64 bits
Converter = Callable[[object], object]


def nan_for_null(value: object, depth: int) -> object:
    """Return NaN for null, also in lists that are nested as deep as the hint says."""
    if depth and type(value) is list:
        is_flat = depth == 1 and None not in value
        return value if is_flat else [nan_for_null(item, depth - 1) for item in value]
    return NAN if value is None and not depth else value


def to_integer(value: object) -> object:
    """Return 1 for 1.0: JSON has one kind of numbers. Return any other value unchanged."""
    if type(value) is float and value.is_integer() and abs(value) < _END_OF_INTEGERS:
        return int(value)
    return value


class ConversionError(Exception):
    """Raised for a value that does not match its hint: (path inside the value, message) pairs."""

    def __init__(self, *mistakes: tuple[str, str]) -> None:
        """Create the error. A path is empty, or like `.petal.width[3]`."""
        super().__init__(mistakes)
        self.mistakes = mistakes


class UnsupportedHintError(Exception):
    """Raised at the start for a hint whose values cannot be made from JSON. Says why."""


class UnsupportedClassError(UnsupportedHintError):
    """Raised for a class with fields: without a conversion, the function would get a dict."""
