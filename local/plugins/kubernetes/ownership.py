"""`ignoreChanges` under server-side apply: who owns a field decides what is sent."""

from __future__ import annotations

from local.plugins.access import dig, mapping, objects, text
from local.plugins.paths import Path, parse
from local.plugins.values import Json, Object


def with_ignored(obj: Object, live: Object, ignored: tuple[str, ...], manager: str) -> Object:
    """The object to apply, so that the ignored fields stay as they are in the cluster.

    A field that somebody else owns (an autoscaler's `spec.replicas`) is left out: sending it
    would be a conflict. One that is ours is sent as it stands there: leaving it out removes it.
    """
    result = obj
    for path in (parse(item) for item in ignored):
        theirs = any(
            _owns(entry, path)
            for entry in objects(live, "metadata", "managedFields")
            if text(entry, "manager") != manager
        )
        ours = any(
            _owns(entry, path)
            for entry in objects(live, "metadata", "managedFields")
            if text(entry, "manager") == manager
        )
        value = None if theirs and not ours else _at(live, path)
        if value is not None or (theirs and not ours):
            result = _with(result, path, value)
    return result


def _owns(entry: Object, path: Path) -> bool:
    if not all(isinstance(step, str) for step in path):
        return False
    return dig(mapping(entry, "fieldsV1"), *(f"f:{step}" for step in path)) is not None


def _at(tree: Json, path: Path) -> Json:
    for step in path:
        if isinstance(tree, dict) and isinstance(step, str):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree


def _with(obj: Object, path: Path, value: Json) -> Object:
    """A copy with the value at the path; None removes it."""
    step, rest = path[0], path[1:]
    if not isinstance(step, str):
        return obj
    copy = dict(obj)
    if not rest:
        copy.pop(step, None)
        return copy if value is None else {**copy, step: value}
    below = copy.get(step)
    if isinstance(below, dict):
        copy[step] = _with(below, rest, value)
    elif isinstance(below, list) and isinstance(rest[0], int) and rest[0] < len(below):
        items = list(below)
        inner = items[rest[0]]
        if len(rest) == 1:
            items[rest[0]] = value
        elif isinstance(inner, dict):
            items[rest[0]] = _with(inner, rest[1:], value)
        copy[step] = items
    return copy
