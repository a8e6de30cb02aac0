"""Checks across sections: versions that routes name, and names that would collide."""

from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError

from components.errors import Mistake, choices, quote
from components.naming import (
    LATEST,
    PLATFORM_NAMES,
    ModelName,
    RouteName,
    VersionName,
    object_name,
)
from components.spec.raw import mapping

_MODEL: TypeAdapter[str] = TypeAdapter(ModelName)
_ROUTE: TypeAdapter[str] = TypeAdapter(RouteName)
_VERSION: TypeAdapter[str] = TypeAdapter(VersionName)


def mistakes(models: object) -> Iterator[Mistake]:
    """Every mistake of this kind in the raw models."""
    yield from _unknown_versions(models)
    yield from _collisions(models)


def _unknown_versions(models: object) -> Iterator[Mistake]:
    for model in mapping(models):
        known = mapping(models, model, "versions")
        if not known:
            continue  # refused already; nothing to compare with
        for route in mapping(models, model, "routes"):
            for version in mapping(models, model, "routes", route, "weights"):
                if version not in known:
                    at = ("models", model, "routes", route, "weights", version)
                    yield Mistake(at, "a version that the model has not", choices(version, known))


def _collisions(models: object) -> Iterator[Mistake]:
    """Objects of the same name: `a` with route `b-c`, and `a-b` with route `c`.

    Names nobody wrote (the platform's, each model's `latest`) come first, so that the line to blame
    is one that stands in the file.
    """
    owners = dict.fromkeys(PLATFORM_NAMES, "the platform")
    names = [model for model in mapping(models) if _is_valid(_MODEL, model)]
    for model in names:
        owners[object_name(model, LATEST)] = f"{quote(LATEST)} of {quote(model)}"
    for model in names:
        for section, adapter in (("versions", _VERSION), ("routes", _ROUTE)):
            for part in mapping(models, model, section):
                if not _is_valid(adapter, part):
                    continue
                name = object_name(model, part)
                owner = owners.setdefault(name, f"{quote(part)} of {quote(model)}")
                if owner != f"{quote(part)} of {quote(model)}":
                    found = f"the object name {quote(name)}, which {owner} has too"
                    yield Mistake(("models", model, section, part), found, "rename one of them")


def _is_valid(adapter: TypeAdapter[str], name: str) -> bool:
    try:
        adapter.validate_python(name)
    except ValidationError:
        return False
    return True
