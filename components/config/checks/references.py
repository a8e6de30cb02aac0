"""Checks across sections: versions that routes name, and name collisions.

A mirror must not receive weighted traffic of the same route: it would receive a request twice. It
may have weight 0. A failover may also be a weighted backend, but not the only one.
"""

from collections.abc import Iterator

from pydantic import TypeAdapter

from components.config.untyped import as_dict, as_str, is_valid
from components.errors import ConfigIssue, describe, quote, suggest
from components.naming import LATEST, PLATFORM_NAMES, ModelName, RouteName, VersionName, object_name

Keys = tuple[str, ...]

_MIRRORED: Keys = ("mirror", "version")
_FAILOVER: Keys = ("failover",)
_MODEL: TypeAdapter[str] = TypeAdapter(ModelName)
_ROUTE: TypeAdapter[str] = TypeAdapter(RouteName)
_VERSION: TypeAdapter[str] = TypeAdapter(VersionName)


def find_issues(models: object) -> Iterator[ConfigIssue]:
    """Yield every issue of this kind in the raw section `models`."""
    for model in as_dict(models):
        versions = as_dict(models, model, "versions")
        for route in as_dict(models, model, "routes"):
            at = ("models", model, "routes", route)
            data = as_dict(models, model, "routes", route)
            if versions:  # otherwise refused by the models, without versions to compare with
                yield from _unknown_versions(data, versions, at)
            yield from _useless(data, at)
    yield from _collisions(models)


def _unknown_versions(
    route: dict[str, object], versions: dict[str, object], at: Keys
) -> Iterator[ConfigIssue]:
    for version in as_dict(route, "weights"):
        if version not in versions:
            actual = "a version that does not exist"
            yield ConfigIssue((*at, "weights", version), actual, suggest(version, versions))
    for keys in (_MIRRORED, _FAILOVER):
        named = _named(route, keys)
        if named is not None and named not in versions:
            actual = f"{describe(named)}, a version that does not exist"
            yield ConfigIssue((*at, *keys), actual, suggest(named, versions))


def _useless(route: dict[str, object], at: Keys) -> Iterator[ConfigIssue]:
    weights = as_dict(route, "weights")
    mirrored, failover = _named(route, _MIRRORED) or "", _named(route, _FAILOVER)
    share = weights.get(mirrored)
    if type(share) is int and share > 0:
        actual = f"{quote(mirrored)}, which receives weighted traffic of this route"
        hint = "use a version with weight 0 or without weight: it would receive a request twice"
        yield ConfigIssue((*at, *_MIRRORED), actual, hint)
    if failover and list(weights) == [failover]:
        actual = f"{quote(failover)}, the only version of the route"
        hint = "use another version: it cannot replace itself"
        yield ConfigIssue((*at, *_FAILOVER), actual, hint)


def _named(route: dict[str, object], keys: Keys) -> str | None:
    *section, key = keys
    return as_str(as_dict(route, *section).get(key))


def _collisions(models: object) -> Iterator[ConfigIssue]:
    """Check for equal object names: model `a` with route `b-c`, and `a-b` with route `c`.

    Generated names (the platform's, each model's `latest`) come first, so that the issue
    names a line of the file.
    """
    owners = dict.fromkeys(PLATFORM_NAMES, "the platform")
    names = [model for model in as_dict(models) if is_valid(_MODEL, model)]
    for model in names:
        owners[object_name(model, LATEST)] = f"{quote(LATEST)} of {quote(model)}"
    for model in names:
        for section, adapter in (("versions", _VERSION), ("routes", _ROUTE)):
            for part in as_dict(models, model, section):
                if not is_valid(adapter, part):
                    continue
                name = object_name(model, part)
                owner = owners.setdefault(name, f"{quote(part)} of {quote(model)}")
                if owner != f"{quote(part)} of {quote(model)}":
                    actual = f"the object name {quote(name)}, also used by {owner}"
                    yield ConfigIssue(
                        ("models", model, section, part), actual, "rename one of them"
                    )
