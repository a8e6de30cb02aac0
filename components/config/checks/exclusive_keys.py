"""Checks across keys: mutually exclusive keys, and references to secrets."""

from collections.abc import Iterator

from pydantic import TypeAdapter

from components.config.types import SecretKey
from components.config.untyped import as_dict, as_str, inherited, is_valid, versions
from components.config.version_sections import SOURCE_KEYS
from components.errors import ConfigIssue, closest_match, quote
from components.languages import R

_KEY: TypeAdapter[str] = TypeAdapter(SecretKey)
_PYTHON_BESIDE_R = ("a key that R does not support", "remove it")


def find_issues(
    platform: object, models: object, secret_keys: frozenset[str] | None
) -> Iterator[ConfigIssue]:
    """Yield every issue of this kind; without `secret_keys`, accept any secret."""
    token = as_dict(platform, "deploymentWatcher").get("token")
    yield from _secret(token, ("platform", "deploymentWatcher", "token"), secret_keys)
    for model in as_dict(models):
        section = as_dict(models, model)
        yield from _tokens(section, ("models", model, "tokens"), secret_keys)
        if "python" in section and section.get("language") == R.name:
            yield ConfigIssue(("models", model, "python"), *_PYTHON_BESIDE_R)
    for model, version, data in versions(models):
        at = ("models", model, "versions", version)
        yield from _either(data, at)
        if "threads" in data and inherited(models, model, data, "language") == R.name:
            hint = "remove it: R runs one call per process; write workers"
            yield ConfigIssue((*at, "threads"), "a key that R does not support", hint)
        yield from _python(models, model, data, (*at, "python"))
        for variable, value in as_dict(data, "secrets").items():
            at_variable = (*at, "secrets", variable)
            if variable in as_dict(data, "environment"):
                actual = "a variable that environment also sets"
                yield ConfigIssue(at_variable, actual, "they are mutually exclusive, remove one")
            yield from _secret(value, at_variable, secret_keys)


def _tokens(
    model: dict[str, object], at: tuple[str, ...], secret_keys: frozenset[str] | None
) -> Iterator[ConfigIssue]:
    tokens = model.get("tokens")
    names = tokens if isinstance(tokens, list) else []
    for place, value in enumerate(names):
        yield from _secret(value, (*at, str(place)), secret_keys)
        if as_str(value) is not None and value in names[:place]:
            yield ConfigIssue((*at, str(place)), f"duplicate {quote(value)}", "remove it")


def _python(
    models: object, model: str, version: dict[str, object], at: tuple[str, ...]
) -> Iterator[ConfigIssue]:
    if "python" not in version:
        return
    if inherited(models, model, version, "language") == R.name:
        yield ConfigIssue(at, *_PYTHON_BESIDE_R)
    elif "image" in version:
        yield ConfigIssue(at, "python with an image", "remove it: the image holds its own Python")


def _secret(
    value: object, at: tuple[str, ...], secret_keys: frozenset[str] | None
) -> Iterator[ConfigIssue]:
    """Check that a reference to a secret names a secret of this stack."""
    key = as_str(value) or ""
    if secret_keys is not None and key not in secret_keys and is_valid(_KEY, key):
        yield ConfigIssue(
            at, f"{quote(key)}, which is not a secret of this stack", _hint(key, secret_keys)
        )


def _either(data: dict[str, object], at: tuple[str, ...]) -> Iterator[ConfigIssue]:
    if not any(key in data for key in SOURCE_KEYS):
        hint = "set it, for example source: models/iris/v1, or image: <name>@sha256:<digits>"
        yield ConfigIssue((*at, "source"), "no value", hint)
    for first_key, second_key in (SOURCE_KEYS, ("replicas", "autoscaling")):
        if first_key in data and second_key in data:
            yield ConfigIssue(
                (*at, second_key),
                f"both {first_key} and {second_key}",
                "they are mutually exclusive, remove one",
            )


def _hint(key: str, secret_keys: frozenset[str]) -> str:
    meant = closest_match(key, sorted(secret_keys))
    return f"did you mean {meant}?" if meant else f"set it: pulumi config set --secret {key}"
