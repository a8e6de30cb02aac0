"""Attributes of load balancers and target groups: strings with dotted names."""

from local.pulumi.plugins.json_access import objects, text
from local.pulumi.plugins.properties import Json, Object


def to_api(attributes: dict[str, Json]) -> list[Json]:
    """Return the attributes that have a value in the form of the API."""
    return [
        {"Key": key, "Value": _format(value)}
        for key, value in attributes.items()
        if value is not None
    ]


def from_api(response: Object) -> dict[str, str]:
    """Return the attributes of a response by name."""
    return {text(item, "Key"): text(item, "Value") for item in objects(response, "Attributes")}


def is_true(attributes: dict[str, str], key: str) -> bool:
    """Return whether a boolean attribute is true."""
    return attributes.get(key) == "true"


def _format(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
