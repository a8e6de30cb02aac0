"""Issues of a stack file: path, actual value and remedy.

Issues are collected as values and raised together, so that one run reports every mistake.
"""

import datetime
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

CUSTOM_ERROR = "value_error"
"""The type of pydantic errors whose context has `actual` and `hint`."""

_LONGEST_QUOTE = 60
_WIDEST_NUMBER = 64
"""Bits. Python refuses to format longer integers."""
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_/:-]{1,80}")


@dataclass(frozen=True)
class ConfigIssue:
    """An issue: the path of keys, the actual value, and the remedy."""

    path: tuple[str, ...]
    actual: str
    hint: str

    @property
    def location(self) -> str:
        """The keys joined by dots; keys with special characters are quoted."""
        return ".".join(key if _PLAIN_KEY.fullmatch(key) else quote(key) for key in self.path)

    def __str__(self) -> str:
        return f"{self.location}: found {self.actual}; {self.hint}"


class StackFileError(Exception):
    """Every issue of a stack file, in the file's order. Users see `str()` only."""

    def __init__(self, issues: Iterable[ConfigIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__(self.issues)

    def __str__(self) -> str:
        count = len(self.issues)
        noun = "error" if count == 1 else "errors"
        headline = f"The stack file has {count} {noun}; nothing was changed."
        return "\n".join([headline, *(f"  {issue}" for issue in self.issues)])


def value_error(hint: str, actual: str | None = None) -> PydanticCustomError:
    """Return a validator's error; `actual` defaults to a description of the value."""
    context = {"hint": hint} if actual is None else {"hint": hint, "actual": actual}
    return PydanticCustomError(CUSTOM_ERROR, "refused", context)


def quote(text: str) -> str:
    """Return the text in quotes, on one line and truncated."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "...")


def describe(value: object) -> str:
    """Describe a YAML value in words, without the content of maps and lists."""
    match value:
        case None:
            return "no value"
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > _WIDEST_NUMBER:
            return "a number of more than 64 bits"
        case int() | float():
            return str(value)
        case str():
            return quote(value) if value else "an empty string"
        case dict():
            return "a map" if value else "an empty map"
        case list():
            return "a list" if value else "an empty list"
        case datetime.date():
            return f"the date {value.isoformat()}"
    return f"a value of type {type(value).__name__}"


def format_key(key: object) -> str:
    """Format a key for a path; YAML keys may also be numbers, dates or null."""
    if key is None:
        return "None"  # as pydantic formats it
    return key if isinstance(key, str) else describe(key)


def closest_match(name: str, candidates: Iterable[str]) -> str | None:
    """Return the closest candidate. Long names are not compared, because that is quadratic."""
    if len(name) > _LONGEST_QUOTE:
        return None
    matches = difflib.get_close_matches(name, list(candidates), n=1)
    return matches[0] if matches else None


def suggest(name: str, candidates: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the closest candidate, or all candidates."""
    names = list(candidates)
    meant = closest_match(name, names)
    if meant is not None:
        return f"did you mean {meant}?"
    return f"write one of {', '.join(quote(name)[1:-1] for name in names)}"
