"""A figure: what was measured, what it must be, and both as a line for people and one of JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

_Z = 3.290526731491926
"""Of the normal distribution: 99.9 % lie within so many standard deviations."""


@dataclass(frozen=True)
class Figure:
    """One result of one benchmark."""

    name: str
    holds: bool
    """Whether it is as it must be."""
    text: str
    values: Mapping[str, object]

    def print(self) -> None:
        """A line to read and a line to keep."""
        print(f"{'ok  ' if self.holds else 'FAIL'} {self.name}: {self.text}")
        print(json.dumps({"bench": self.name, "holds": self.holds, **self.values}), flush=True)


def binomial_band(count: int, share: float) -> tuple[int, int]:
    """Within these numbers lie 99.9 % of what chance gives, of `count` requests to an arm."""
    middle, width = count * share, _Z * math.sqrt(count * share * (1 - share))
    return math.ceil(middle - width), math.floor(middle + width)


def milliseconds(seconds: float) -> float:
    """Rounded to what the clock is good for."""
    return round(seconds * 1000, 1)
