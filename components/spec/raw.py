"""Ways into data that may be anything: what is not of the expected form is not there.

Checks across sections must find their mistakes also in a file that is wrong elsewhere, so they read
the raw data and leave wrong types to the models.
"""

from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError


def mapping(data: object, *keys: str) -> dict[str, object]:
    """The map under these keys, its text keys alone; empty where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in data.items() if isinstance(key, str)}


def versions(models: object) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Model, version and what the version says, for each that is a map."""
    for model in mapping(models):
        for version, data in mapping(models, model, "versions").items():
            if isinstance(data, dict):
                yield model, version, mapping(data)


def inherited(models: object, model: str, version: dict[str, object], key: str) -> str | None:
    """What a version says under a key, or else its model, if it is text."""
    return text(version[key] if key in version else mapping(models, model).get(key))


def text(data: object) -> str | None:
    """The value if it is text."""
    return data if isinstance(data, str) else None


def accepts(kind: TypeAdapter[str], value: object) -> bool:
    """Whether the value has this type; what is wrong with it otherwise, the models tell."""
    try:
        kind.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
