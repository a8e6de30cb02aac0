"""Checks across sections: versions that routes name, and names that would collide.

A mirror is none of the versions that the route shares traffic to: one of them would get the same
request twice, once to answer it and once as a copy. With weight 0 it may stand there, waiting. A
failover may be an arm, or none; as the only one it would have to answer for itself.
"""

from collections.abc import Iterator

from pydantic import TypeAdapter

from components.errors import Mistake, choices, describe, quote
from components.naming import (
    LATEST,
    PLATFORM_NAMES,
    ModelName,
    RouteName,
    VersionName,
    object_name,
)
from components.spec.raw import accepts, mapping, text

Keys = tuple[str, ...]

_MIRRORED: Keys = ("mirror", "version")
_FAILOVER: Keys = ("failover",)
_MODEL: TypeAdapter[str] = TypeAdapter(ModelName)
_ROUTE: TypeAdapter[str] = TypeAdapter(RouteName)
_VERSION: TypeAdapter[str] = TypeAdapter(VersionName)


def mistakes(models: object) -> Iterator[Mistake]:
    """Every mistake of this kind in the raw models."""
    for model in mapping(models):
        known = mapping(models, model, "versions")
        for route in mapping(models, model, "routes"):
            at = ("models", model, "routes", route)
            data = mapping(models, model, "routes", route)
            if known:  # else refused already, and nothing to compare with
                yield from _unknown_versions(data, known, at)
            yield from _useless(data, at)
    yield from _collisions(models)


def _unknown_versions(
    route: dict[str, object], known: dict[str, object], at: Keys
) -> Iterator[Mistake]:
    for version in mapping(route, "weights"):
        if version not in known:
            found = "a version that the model has not"
            yield Mistake((*at, "weights", version), found, choices(version, known))
    for keys in (_MIRRORED, _FAILOVER):
        named = _named(route, keys)
        if named is not None and named not in known:
            found = f"{describe(named)}, a version that the model has not"
            yield Mistake((*at, *keys), found, choices(named, known))


def _useless(route: dict[str, object], at: Keys) -> Iterator[Mistake]:
    weights = mapping(route, "weights")
    mirrored, failover = _named(route, _MIRRORED) or "", _named(route, _FAILOVER)
    share = weights.get(mirrored)
    if type(share) is int and share > 0:
        found = f"{quote(mirrored)}, which this route shares traffic to"
        hint = "write a version with weight 0 or none: it would get a request twice"
        yield Mistake((*at, *_MIRRORED), found, hint)
    if failover and list(weights) == [failover]:
        found = f"{quote(failover)}, the only version of the route"
        hint = "write another version: it cannot answer for itself"
        yield Mistake((*at, *_FAILOVER), found, hint)


def _named(route: dict[str, object], keys: Keys) -> str | None:
    *section, key = keys
    return text(mapping(route, *section).get(key))


def _collisions(models: object) -> Iterator[Mistake]:
    """Objects of the same name: `a` with route `b-c`, and `a-b` with route `c`.

    Names nobody wrote (the platform's, each model's `latest`) come first, so that the line to blame
    is one that stands in the file.
    """
    owners = dict.fromkeys(PLATFORM_NAMES, "the platform")
    names = [model for model in mapping(models) if accepts(_MODEL, model)]
    for model in names:
        owners[object_name(model, LATEST)] = f"{quote(LATEST)} of {quote(model)}"
    for model in names:
        for section, adapter in (("versions", _VERSION), ("routes", _ROUTE)):
            for part in mapping(models, model, section):
                if not accepts(adapter, part):
                    continue
                name = object_name(model, part)
                owner = owners.setdefault(name, f"{quote(part)} of {quote(model)}")
                if owner != f"{quote(part)} of {quote(model)}":
                    found = f"the object name {quote(name)}, which {owner} has too"
                    yield Mistake(("models", model, section, part), found, "rename one of them")
