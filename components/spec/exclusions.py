"""Checks across the keys of one version: which cannot stand together, and which name secrets."""

from collections.abc import Iterator

from pydantic import TypeAdapter

from components.errors import Mistake, closest, quote
from components.spec.raw import accepts, mapping, text, versions
from components.spec.values import SecretKey
from components.spec.version_sections import ONE_OF

_KEY: TypeAdapter[str] = TypeAdapter(SecretKey)


def mistakes(models: object, secret_keys: frozenset[str] | None) -> Iterator[Mistake]:
    """Every mistake of this kind in the raw models; without `secret_keys`, any secret will do."""
    for model, version, data in versions(models):
        at = ("models", model, "versions", version)
        yield from _either(data, at)
        for variable, value in mapping(data, "secrets").items():
            at_variable = (*at, "secrets", variable)
            if variable in mapping(data, "environment"):
                found = "a variable that environment has, too"
                yield Mistake(at_variable, found, "take one of the two away")
            key = text(value) or ""
            if secret_keys is not None and key not in secret_keys and accepts(_KEY, key):
                found = f"{quote(key)}, which is no secret of this stack"
                yield Mistake(at_variable, found, _hint(key, secret_keys))


def _either(data: dict[str, object], at: tuple[str, ...]) -> Iterator[Mistake]:
    if not any(key in data for key in ONE_OF):
        hint = "write it, such as source: models/iris/v1, or image: <name>@sha256:<digits>"
        yield Mistake((*at, "source"), "nothing", hint)
    for one, other in (ONE_OF, ("replicas", "autoscaling")):
        if one in data and other in data:
            yield Mistake((*at, other), f"it beside {one}", "take one of the two away")


def _hint(key: str, secret_keys: frozenset[str]) -> str:
    meant = closest(key, sorted(secret_keys))
    return f"did you mean {meant}?" if meant else f"set it: pulumi config set --secret {key}"
