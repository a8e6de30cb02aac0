"""Typed access to untyped data: values of an unexpected type count as missing.

Checks across sections must find their mistakes also in a file that is wrong elsewhere, so they read
the raw data and leave wrong types to the models.
"""

from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError


def as_dict(data: object, *keys: str) -> dict[str, object]:
    """The map under these keys, its text keys alone; empty where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in data.items() if isinstance(key, str)}


def versions(models: object) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Model, version and what the version says, for each that is a map."""
    for model in as_dict(models):
        for version, data in as_dict(models, model, "versions").items():
            if isinstance(data, dict):
                yield model, version, as_dict(data)


def inherited(models: object, model: str, version: dict[str, object], key: str) -> str | None:
    """What a version says under a key, or else its model, if it is text."""
    return as_str(version[key] if key in version else as_dict(models, model).get(key))


def as_str(data: object) -> str | None:
    """The value if it is text."""
    return data if isinstance(data, str) else None


def is_valid(kind: TypeAdapter[str], value: object) -> bool:
    """Whether the value has this type; what is wrong with it otherwise, the models tell."""
    try:
        kind.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
