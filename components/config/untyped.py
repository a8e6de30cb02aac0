"""Typed access to untyped data: values of an unexpected type count as missing.

Checks across sections must work for a file with other mistakes, so they read the raw data and
leave type errors to the models.
"""

from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError


def as_dict(data: object, *keys: str) -> dict[str, object]:
    """Return the mapping under these keys, with its string keys only; empty if there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in data.items() if isinstance(key, str)}


def versions(models: object) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield model, version and the version's mapping."""
    for model in as_dict(models):
        for version, data in as_dict(models, model, "versions").items():
            if isinstance(data, dict):
                yield model, version, as_dict(data)


def inherited(models: object, model: str, version: dict[str, object], key: str) -> str | None:
    """Return a string key of a version, or else of its model."""
    return as_str(version[key] if key in version else as_dict(models, model).get(key))


def as_str(data: object) -> str | None:
    """Return the value if it is a string."""
    return data if isinstance(data, str) else None


def is_valid(kind: TypeAdapter[str], value: object) -> bool:
    """Return whether the value is valid for a type; the models report why not."""
    try:
        kind.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
