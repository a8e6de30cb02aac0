"""Typed reads in Kubernetes' JSON, where any step of a path may be missing."""

from __future__ import annotations

from local.plugins.values import Json, Object


def dig(tree: Json, *path: str) -> Json:
    """The value under `path`, or None where a step is missing or no object."""
    for step in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(step)
    return tree


def text(tree: Json, *path: str) -> str:
    """The string under `path`, or "" ."""
    value = dig(tree, *path)
    return value if isinstance(value, str) else ""


def whole(tree: Json, *path: str, default: int = 0) -> int:
    """The whole number under `path`, or `default`."""
    value = dig(tree, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def mapping(tree: Json, *path: str) -> Object:
    """The object under `path`, or {}."""
    value = dig(tree, *path)
    return value if isinstance(value, dict) else {}


def objects(tree: Json, *path: str) -> list[Object]:
    """The objects of the list under `path`."""
    value = dig(tree, *path)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def condition(tree: Json, kind: str) -> Object:
    """The entry of `status.conditions` of this type, or {}."""
    found = (item for item in objects(tree, "status", "conditions") if item.get("type") == kind)
    return next(found, {})
