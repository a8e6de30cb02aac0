"""Comparison of inputs with the values in AWS.

AWS adds defaults, sorts lists and reformats policies. Before the comparison, equivalent values are
replaced by those of the inputs.
"""

import json

from local.pulumi.plugins.aws.resource_type import Shape
from local.pulumi.plugins.properties import Json, Object


def normalize_like(expected: Json, actual: Json) -> Json:
    """Return `actual` in the form of `expected`; lists have no order, as in the API."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        values = {key: normalize_like(value, actual.get(key)) for key, value in expected.items()}
        return {key: value for key, value in values.items() if value is not None}
    if isinstance(expected, list) and isinstance(actual, list):
        return expected if _same_members(expected, actual) else actual
    if isinstance(expected, str) and isinstance(actual, str) and expected[:1] in ("{", "["):
        return expected if _parse_policy(expected) == _parse_policy(actual) else actual
    return actual


def _same_members(expected: list[Json], actual: list[Json]) -> bool:
    unmatched = list(actual)
    for item in expected:
        match = next((value for value in unmatched if normalize_like(item, value) == item), None)
        if match is None:
            return False
        unmatched.remove(match)
    return not unmatched


def _parse_policy(text: str) -> Json:
    """Return a policy without lists of one item, which AWS equates with the item."""
    try:
        return _without_lists_of_one(json.loads(text))
    except ValueError:
        return text


def _without_lists_of_one(node: Json) -> Json:
    if isinstance(node, dict):
        return {key: _without_lists_of_one(value) for key, value in node.items()}
    if isinstance(node, list):
        items = [_without_lists_of_one(item) for item in node]
        return items[0] if len(items) == 1 else items
    return node


def unmet_inputs(expected: Object, actual: Object) -> list[str]:
    """Return the arguments that have another value in AWS, each with both values."""
    normalized = normalize_like(expected, actual)
    values = normalized if isinstance(normalized, dict) else {}
    return [
        f"{key}: expected {json.dumps(value)}, AWS has {json.dumps(values.get(key))}"
        for key, value in expected.items()
        if values.get(key) != value
    ]


def unsupported_paths(inputs: Json, shape: Shape | None, path: str = "") -> list[str]:
    """Return the paths of arguments that the shape does not contain."""
    if isinstance(inputs, list):
        return [
            nested
            for index, item in enumerate(inputs)
            for nested in unsupported_paths(item, shape, f"{path}[{index}]")
        ]
    if not isinstance(inputs, dict) or shape is None:
        return []
    paths = []
    for key, value in inputs.items():
        key_path = f"{path}.{key}" if path else key
        paths += unsupported_paths(value, shape[key], key_path) if key in shape else [key_path]
    return paths
