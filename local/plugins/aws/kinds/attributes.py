"""Attributes of load balancers and target groups: texts under dotted names, whatever they are."""

from __future__ import annotations

from local.plugins.access import objects, text
from local.plugins.values import Json, Object


def listed(wanted: dict[str, Json]) -> list[Json]:
    """Those that are given, as the API takes them."""
    return [
        {"Key": key, "Value": _written(value)} for key, value in wanted.items() if value is not None
    ]


def held(answer: Object) -> dict[str, str]:
    """What the API gives, by name."""
    return {text(item, "Key"): text(item, "Value") for item in objects(answer, "Attributes")}


def switch(found: dict[str, str], key: str) -> bool:
    """An attribute that is true or false."""
    return found.get(key) == "true"


def _written(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
