"""The functions that the golden cases call. Another language's file has the same ones."""

import time
from dataclasses import dataclass
from typing import Literal, TypedDict


def add(a, b):
    """Return the sum."""
    return a + b


def greet(name, greeting="Hello"):
    """Return a text; the second argument has a default."""
    return f"{greeting}, {name}"


def rest(first, **others):
    """Return the names that no parameter has, sorted."""
    return {"first": first, "others": sorted(others)}


def echo(value):
    """Return what came in."""
    return value


def nothing():
    """Take and return nothing."""


def not_numbers():
    """Return what JSON has no number for."""
    return [float("nan"), float("inf"), 1.5]


def fail(message):
    """Fail as the user's code does."""
    raise ValueError(message)


def wait(seconds):
    """Return after a while."""
    time.sleep(seconds)
    return seconds


def named(x):
    """Return parts with names, of different kinds."""
    return {"half": x / 2, "text": "x", "large": x > 1}


def deep():
    """Return what is JSON but no table."""
    return {"a": [{"b": 1}]}


# From here on: what cases of Python alone call, since other languages have no type hints.


def columns(x: list[float], y: list):
    """Take whole columns."""
    return {"x": x, "y": y}


def matrix(rows: list[list[float]], scale: float = 1.0):
    """Take all rows at once."""
    return [sum(row) * scale for row in rows]


def hinted(number: int, text: str | None, *, flag: bool = False) -> str:
    """Say what came in."""
    return f"{number} {text} {flag}"


def measured(x: float) -> dict[str, str | float]:
    """Return what is measured, by names of its own."""
    return {"kind": "x", "value": x}


@dataclass
class Petal:
    """A petal; measures in cm."""

    length: float
    width: float = 0.2


class Flower(TypedDict):
    """What is known of a flower."""

    species: str
    area: float


def typed(petal: Petal, species: Literal["setosa", "virginica"] = "setosa") -> Flower:
    """Return a flower's area, roughly."""
    return {"species": species, "area": petal.length * petal.width}
