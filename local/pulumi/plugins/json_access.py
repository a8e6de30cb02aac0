"""Typed reads of JSON, where any step of a path may be missing."""

from local.pulumi.plugins.properties import Json, Object


def dig(tree: Json, *path: str) -> Json:
    """Return the value under `path`, or None."""
    for step in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(step)
    return tree


def text(tree: Json, *path: str) -> str:
    """Return the string under `path`, or ""."""
    value = dig(tree, *path)
    return value if isinstance(value, str) else ""


def integer(tree: Json, *path: str, default: int = 0) -> int:
    """Return the integer under `path`, or `default`."""
    value = dig(tree, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def mapping(tree: Json, *path: str) -> Object:
    """Return the object under `path`, or {}."""
    value = dig(tree, *path)
    return value if isinstance(value, dict) else {}


def objects(tree: Json, *path: str) -> list[Object]:
    """Return the objects of the list under `path`."""
    value = dig(tree, *path)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
