"""The functions that the golden cases call, equal in every language."""

import time
from dataclasses import dataclass
from typing import Literal, TypedDict


def add(a, b):
    """Return the sum."""
    return a + b


def greet(name, greeting="Hello"):
    """Return a text; the second argument has a default."""
    return f"{greeting}, {name}"


def sort_names(first, **keywords):
    """Return the extra names, sorted."""
    return {"first": first, "others": sorted(keywords)}


def echo(value):
    """Return the argument."""
    return value


def nothing():
    """Accept and return nothing."""


def not_numbers():
    """Return values that JSON cannot represent."""
    return [float("nan"), float("inf"), 1.5]


def fail(message):
    """Raise an exception."""
    raise ValueError(message)


def wait(seconds):
    """Sleep, then return."""
    time.sleep(seconds)
    return seconds


def named(x):
    """Return named values of different types."""
    return {"half": x / 2, "text": "x", "large": x > 1}


def deep():
    """Return a value that is JSON but not a table."""
    return {"a": [{"b": 1}]}


# The cases of Python call the functions below: other languages have no type hints.


def columns(x: list[float], y: list):
    """Receive whole columns."""
    return {"x": x, "y": y}


def matrix(rows: list[list[float]], scale: float = 1.0):
    """Receive all rows at once."""
    return [sum(row) * scale for row in rows]


def hinted(number: int, text: str | None, *, flag: bool = False) -> str:
    """Return the arguments as text."""
    return f"{number} {text} {flag}"


def measured(x: float) -> dict[str, str | float]:
    """Return values by names that the hint does not have."""
    return {"kind": "x", "value": x}


@dataclass
class Petal:
    """A petal; measures in cm."""

    length: float
    width: float = 0.2


class Flower(TypedDict):
    """A flower with its area."""

    species: str
    area: float


def typed(petal: Petal, species: Literal["setosa", "virginica"] = "setosa") -> Flower:
    """Return an approximate area."""
    return {"species": species, "area": petal.length * petal.width}
