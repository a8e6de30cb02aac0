"""The provider's configuration: what of it the stand-in honours, and what it refuses."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckFailure,
    CheckRequest,
    CheckResponse,
    ConfigureRequest,
    ConfigureResponse,
    Provider,
)

from local.plugins.failures import PluginError

_STRINGS = ("kubeconfig", "context", "cluster", "namespace")
_SWITCHES = {
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}
_WITHOUT_EFFECT = ("suppressDeprecationWarnings", "suppressHelmHookWarnings")
"""They silence warnings that the stand-in never prints."""
_MUST_BE_OFF = {
    "alwaysRender": "",
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    "renderYamlToDirectory": "",
    "helmReleaseSettings": "",
    "kubeClientSettings": "",
    "clusterIdentifier": "",
    "awaitAll": "PULUMI_K8S_AWAIT_ALL",
}
_ENGINES_OWN = ("version", "pluginDownloadURL", "pluginChecksums", "__internal")
_OFF = ("", "false", "False", "{}", "null")


@dataclass(frozen=True)
class Settings:
    """One provider's configuration."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    enable_config_map_mutable: bool = False
    enable_secret_mutable: bool = False
    enable_patch_force: bool = False
    upsert_existing_objects: bool = False

    @property
    def kubeconfig_text(self) -> str:
        """The content of the kubeconfig, given as content, path or by the environment."""
        if "\n" in self.kubeconfig or self.kubeconfig.lstrip().startswith("{"):
            return self.kubeconfig
        path = self.kubeconfig_path
        if ":" in str(path) and not path.exists():
            raise PluginError(
                "The stand-in reads one kubeconfig file, and KUBECONFIG names several: merge them "
                "(kubectl config view --flatten)."
            )
        try:
            return path.read_text()
        except OSError as error:
            raise PluginError(
                f"No Kubernetes cluster is configured: {path} cannot be read ({error.strerror}). "
                "Set KUBECONFIG, or kubernetes:kubeconfig in the stack."
            ) from error

    @property
    def kubeconfig_path(self) -> Path:
        """Where the kubeconfig stands; relative paths in it start there."""
        given = self.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        return Path(given).expanduser()


def problems(values: dict[str, str], environment: dict[str, str]) -> list[tuple[str, str]]:
    """What the stand-in cannot honour: (key, sentence)."""
    known = {*_STRINGS, *_SWITCHES, *_WITHOUT_EFFECT, *_ENGINES_OWN, "enableServerSideApply"}
    found = []
    for key, value in values.items():
        if key in known or (key in _MUST_BE_OFF and value in _OFF):
            continue
        found.append((key, f"the stand-in plugin does not honour {key}; use the official plugin."))
    for key, variable in _MUST_BE_OFF.items():
        if variable and environment.get(variable, "") not in _OFF:
            found.append((key, f"the stand-in plugin does not honour {variable}; unset it."))
    apply = values.get("enableServerSideApply") or environment.get(
        "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", ""
    )
    if apply in ("false", "False"):
        found.append(("enableServerSideApply", "the stand-in plugin always applies server-side."))
    return found


def settings(values: dict[str, str], environment: dict[str, str]) -> Settings:
    """The configuration, from the stack, the provider's arguments or the environment."""

    def switch(key: str) -> bool:
        return (values.get(key) or environment.get(_SWITCHES[key], "")) in ("true", "True")

    return Settings(
        kubeconfig=values.get("kubeconfig", ""),
        context=values.get("context", ""),
        cluster=values.get("cluster", ""),
        namespace=values.get("namespace", ""),
        enable_config_map_mutable=switch("enableConfigMapMutable"),
        enable_secret_mutable=switch("enableSecretMutable"),
        enable_patch_force=switch("enablePatchForce"),
        upsert_existing_objects=switch("upsertExistingObjects"),
    )


class Configured(Provider):
    """Keeps the settings for the resources; the SDK's base class does the rest."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.cancelled = asyncio.Event()

    async def check_config(self, request: CheckRequest) -> CheckResponse:
        """Refuse early, by the property, what cannot be honoured."""
        values = {key: _shown(value) for key, value in request.new_inputs.items()}
        found = problems(values, dict(os.environ))
        failures = [CheckFailure(key, reason) for key, reason in found]
        return CheckResponse(inputs=request.new_inputs, failures=failures)

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        """Keep the settings; nothing is contacted before an operation needs it."""
        prefix = "kubernetes:config:"
        values = {key.removeprefix(prefix): value for key, value in request.variables.items()}
        found = problems(values, dict(os.environ))
        if found:
            raise PluginError("; ".join(f"kubernetes:{key}: {reason}" for key, reason in found))
        self.settings = settings(values, dict(os.environ))
        return ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def cancel(self) -> None:
        """End the waiting operations; their objects stay in the state as not ready."""
        self.cancelled.set()


def _shown(value: PropertyValue) -> str:
    shown = value.value
    if isinstance(shown, bool):
        return "true" if shown else "false"
    return "" if shown is None else str(shown)
