"""Checks across keys: what excludes each other, and whether what names a secret names one."""

from collections.abc import Iterator

from pydantic import TypeAdapter

from components.errors import Mistake, closest, quote
from components.languages import R
from components.spec.raw import accepts, inherited, mapping, text, versions
from components.spec.values import SecretKey
from components.spec.version_sections import ONE_OF

_KEY: TypeAdapter[str] = TypeAdapter(SecretKey)


def mistakes(
    platform: object, models: object, secret_keys: frozenset[str] | None
) -> Iterator[Mistake]:
    """Every mistake of this kind in the raw sections; without `secret_keys`, any secret will do."""
    token = mapping(platform, "deploymentWatcher").get("token")
    yield from _secret(token, ("platform", "deploymentWatcher", "token"), secret_keys)
    for model in mapping(models):
        yield from _tokens(mapping(models, model), ("models", model, "tokens"), secret_keys)
    for model, version, data in versions(models):
        at = ("models", model, "versions", version)
        yield from _either(data, at)
        if "threads" in data and inherited(models, model, data, "language") == R.name:
            hint = "take it away: R runs one call per process; write workers"
            yield Mistake((*at, "threads"), "it beside language r", hint)
        for variable, value in mapping(data, "secrets").items():
            at_variable = (*at, "secrets", variable)
            if variable in mapping(data, "environment"):
                found = "a variable that environment has, too"
                yield Mistake(at_variable, found, "take one of the two away")
            yield from _secret(value, at_variable, secret_keys)


def _tokens(
    model: dict[str, object], at: tuple[str, ...], secret_keys: frozenset[str] | None
) -> Iterator[Mistake]:
    listed = model.get("tokens")
    names = listed if isinstance(listed, list) else []
    for place, value in enumerate(names):
        yield from _secret(value, (*at, str(place)), secret_keys)
        if text(value) is not None and value in names[:place]:
            yield Mistake((*at, str(place)), f"{quote(value)} a second time", "take it away")


def _secret(
    value: object, at: tuple[str, ...], secret_keys: frozenset[str] | None
) -> Iterator[Mistake]:
    """What names a secret must name one of this stack."""
    key = text(value) or ""
    if secret_keys is not None and key not in secret_keys and accepts(_KEY, key):
        yield Mistake(
            at, f"{quote(key)}, which is no secret of this stack", _hint(key, secret_keys)
        )


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
