"""The section of a route. `checks.references` checks the versions that it names."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.config.base import Section
from components.config.types import MirrorPercent, Percent
from components.errors import value_error
from components.naming import VersionReference

_TOTAL = 100


def _total(weights: dict[str, int]) -> dict[str, int]:
    total = sum(weights.values())
    if total != _TOTAL:
        raise value_error(f"write whole numbers that add up to {_TOTAL}", f"a total of {total}")
    return weights


class MirrorSpec(Section):
    """Mirrors a percentage of the requests to a version; its responses are discarded."""

    version: VersionReference = Field(
        description="The version that gets the copies; none that the route shares traffic to.",
        examples=["v3"],
    )
    percent: MirrorPercent = Field(
        description="Share of the route's requests that is copied.", examples=[10]
    )


class RouteSpec(Section):
    """How a route distributes its traffic among versions."""

    weights: Annotated[dict[str, Percent], AfterValidator(_total)] = Field(
        description="Version: its share. Whole numbers, total 100; 0 is allowed.",
        examples=[{"v1": 90, "v2": 10}],
    )
    sticky: bool = Field(
        default=False, description="Whether a client keeps its version.", examples=[True]
    )
    mirror: MirrorSpec | None = Field(
        default=None,
        description="A copy of some requests for a version that does not answer here.",
        examples=[{"version": "v3", "percent": 10}],
    )
    failover: VersionReference | None = Field(
        default=None,
        description="The version that answers when another one fails.",
        examples=["v1"],
    )
