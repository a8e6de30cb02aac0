"""Read `pulumi.Config` and parse it into a StackSpec."""

import json
from collections.abc import Iterator
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components import external_models_file
from components.config import StackSpec, parse
from components.errors import ConfigIssue, StackFileError, suggest

NAMESPACE = "model-deployment"
SECTIONS = ("platform", "models")


def load(root: Path) -> StackSpec:
    """Return the validated stack file; `root` is the project's folder.

    Raises `pulumi.RunError`, which ends the program without a traceback, for any issue.
    """
    issues = list(_secret_sections())
    secret = {issue.path[0] for issue in issues}
    spec: StackSpec | None = None
    try:
        platform, models = (_section(name) for name in SECTIONS)
        if isinstance(models, str) and models.endswith(external_models_file.YAML_SUFFIXES):
            models = external_models_file.read(root, models)
        spec = parse(platform, models, root, _secret_keys())
    except StackFileError as error:
        # Issues of a section with secrets are not printed: they might quote a secret.
        issues += (issue for issue in error.issues if issue.path[0] not in secret)
    issues += _unknown_keys()
    if issues or spec is None:
        raise pulumi.RunError(str(StackFileError(issues)))
    return spec


def require_secret(key: str) -> pulumi.Output[str]:
    """Return a secret of the stack's configuration. Raises `pulumi.RunError` if it is missing."""
    return pulumi.Config(NAMESPACE).require_secret(key)


def kubernetes_settings() -> tuple[str | None, str | None]:
    """Return the provider's settings `kubernetes:context` and `kubernetes:kubeconfig`."""
    settings = pulumi.Config("kubernetes")
    return settings.get("context"), settings.get("kubeconfig")


def _section(name: str) -> object:
    """Return the section's value; text that is not JSON is returned, to be refused as text."""
    value = pulumi.Config(NAMESPACE).get(name)
    try:
        return None if value is None else json.loads(value)
    except (ValueError, RecursionError):
        return value


def _secret_sections() -> Iterator[ConfigIssue]:
    """Refuse secrets inside a section: they would reach the cluster in plain text."""
    for name in SECTIONS:
        if is_config_secret(f"{NAMESPACE}:{name}"):
            hint = "make it a secret key of its own: pulumi config set --secret <name>"
            yield ConfigIssue((name,), "a secret in it", hint)


def _secret_keys() -> frozenset[str]:
    """Return the names that a version's `secrets` may refer to."""
    keys = (key.partition(":") for key in _all_keys() if is_config_secret(key))
    return frozenset(name for namespace, _, name in keys if namespace == NAMESPACE) - {*SECTIONS}


def _all_keys() -> set[str]:
    return {*get_config_env(), *CONFIG.get()}


def _unknown_keys() -> Iterator[ConfigIssue]:
    """Report unknown keys; secrets are skipped, because sections refer to them by name."""
    for key in sorted(_all_keys()):
        namespace, _, name = key.partition(":")
        if namespace == NAMESPACE and name not in SECTIONS and not is_config_secret(key):
            hint = f"{suggest(name, SECTIONS)} (a secret would be allowed, too)"
            yield ConfigIssue((key,), "an unknown key", hint)
