"""Decode environment variables and collect every mistake.

msgspec could do this, but its import costs 60 ms and 2.8 MB in every process of a container.
"""

import re
from collections.abc import Callable, Mapping

_ABSOLUTE_PATH = re.compile(r"/.*")


class EnvironmentDecoder:
    """Decodes one variable per method call; `errors` has a line for each wrong variable."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.errors: list[str] = []

    def text(self, name: str, pattern: re.Pattern[str], expected: str) -> str:
        """Return a required variable that matches a pattern."""
        value = self._environment.get(name, "")
        if not value:
            self.errors.append(f"{name} is not set; write {expected}")
        elif not pattern.fullmatch(value):
            self._reject(name, value, expected)
        return value

    def directory(self, name: str) -> str | None:
        """Return an absolute path, or None where the variable is not set."""
        value = self._environment.get(name)
        # An empty path is an error, too: the variable was set to require tokens.
        if value is not None and not _ABSOLUTE_PATH.fullmatch(value):
            self._reject(name, value, "the path of a directory, or do not set it")
        return value

    def integer(self, name: str, default: int, maximum: int = 2**31) -> int:
        """Return an integer from 1 to `maximum`."""
        return int(self._number(name, default, maximum, int, f"an integer from 1 to {maximum}"))

    def seconds(self, name: str, default: float) -> float:
        """Return a duration of up to one day."""
        expected = "a number of seconds over 0, up to 86400"
        return self._number(name, default, 86400, float, expected)

    def _number(
        self,
        name: str,
        default: float,
        maximum: float,
        convert: Callable[[str], float],
        expected: str,
    ) -> float:
        value = self._environment.get(name)
        if value is None:
            return default
        try:
            number = convert(value)
        except ValueError:
            number = 0
        if not 0 < number <= maximum:  # False for NaN
            self._reject(name, value, expected)
            return default
        return number

    def _reject(self, name: str, value: str, expected: str) -> None:
        self.errors.append(f"{name} is {value!r}; write {expected}")
