"""A figure: a measurement with its limit, printed as text and as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

_Z = 3.290526731491926
"""Standard deviations that contain 99.9 % of a normal distribution."""


@dataclass(frozen=True)
class Figure:
    """One result of one benchmark."""

    name: str
    holds: bool
    """Whether the limit holds."""
    text: str
    values: Mapping[str, object]

    def print(self) -> None:
        """Print a line of text and a line of JSON."""
        print(f"{'ok  ' if self.holds else 'FAIL'} {self.name}: {self.text}")
        print(json.dumps({"bench": self.name, "holds": self.holds, **self.values}), flush=True)


def binomial_band(count: int, share: float) -> tuple[int, int]:
    """Return the bounds of 99.9 % of a binomial distribution of `count` requests."""
    middle, width = count * share, _Z * math.sqrt(count * share * (1 - share))
    return math.ceil(middle - width), math.floor(middle + width)


def milliseconds(seconds: float) -> float:
    """Round to the resolution of the clock."""
    return round(seconds * 1000, 1)
