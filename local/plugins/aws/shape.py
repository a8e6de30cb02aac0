"""Comparing what was asked with what AWS holds.

AWS fills in defaults, sorts lists and writes policies anew. What it holds is brought to the form of
what was asked, as far as it means the same; whatever then differs, differs.
"""

from __future__ import annotations

import json

from local.plugins.aws.kind import Shape
from local.plugins.values import Json, Object


def in_form_of(asked: Json, held: Json) -> Json:
    """`held` as `asked` would write it; lists have no order here, as in the API itself."""
    if isinstance(asked, dict) and isinstance(held, dict):
        found = {key: in_form_of(value, held.get(key)) for key, value in asked.items()}
        return {key: value for key, value in found.items() if value is not None}
    if isinstance(asked, list) and isinstance(held, list):
        return asked if _same_members(asked, held) else held
    if isinstance(asked, str) and isinstance(held, str) and asked[:1] in ("{", "["):
        return asked if _document(asked) == _document(held) else held
    return held


def _same_members(asked: list[Json], held: list[Json]) -> bool:
    rest = list(held)
    for item in asked:
        match = next((each for each in rest if in_form_of(item, each) == item), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _document(written: str) -> Json:
    """A policy's meaning; AWS reads a list of one as the one."""
    try:
        return _without_lists_of_one(json.loads(written))
    except ValueError:
        return written


def _without_lists_of_one(node: Json) -> Json:
    if isinstance(node, dict):
        return {key: _without_lists_of_one(value) for key, value in node.items()}
    if isinstance(node, list):
        found = [_without_lists_of_one(item) for item in node]
        return found[0] if len(found) == 1 else found
    return node


def not_kept(asked: Object, held: Object) -> list[str]:
    """The arguments that AWS holds otherwise than asked, each with both values."""
    found = in_form_of(asked, held)
    kept = found if isinstance(found, dict) else {}
    return [
        f"{key}: asked for {json.dumps(value)}, holds {json.dumps(kept.get(key))}"
        for key, value in asked.items()
        if kept.get(key) != value
    ]


def unknown(inputs: Json, shape: Shape | None, path: str = "") -> list[str]:
    """The paths of arguments that nobody would pass on."""
    if isinstance(inputs, list):
        return [
            found
            for place, item in enumerate(inputs)
            for found in unknown(item, shape, f"{path}[{place}]")
        ]
    if not isinstance(inputs, dict) or shape is None:
        return []
    found = []
    for key, value in inputs.items():
        at = f"{path}.{key}" if path else key
        found += unknown(value, shape[key], at) if key in shape else [at]
    return found
