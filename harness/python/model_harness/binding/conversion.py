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
Converter = Callable[[object], object]


class ConversionError(Exception):
    """Raised for a value that does not match its hint: (path inside the value, message) pairs."""

    def __init__(self, *mistakes: tuple[str, str]) -> None:
        """Create the error. A path is empty, or like `.petal.width[3]`."""
        super().__init__(mistakes)
        self.mistakes = mistakes


class UnsupportedHintError(Exception):
    """Raised at the start for a hint whose values cannot be made from JSON. Says why."""
