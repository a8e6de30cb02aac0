"""Which kind of object a type token names, and which the stand-in cannot serve."""

from __future__ import annotations

from dataclasses import dataclass

from local.plugins.failures import PluginError

_REFUSED_GROUPS = {
    "helm.sh": "Helm charts and releases",
    "yaml": "YAML ConfigFile and ConfigGroup",
    "kustomize": "Kustomize directories",
}

_CLUSTER_SCOPED = frozenset(
    [
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersion",
        "StorageVersionMigration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    ]
)


@dataclass(frozen=True)
class Kind:
    """Group, version and kind; the core group is ""."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """As it stands in an object: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def built_in(self) -> bool:
        """Whether the group is Kubernetes' own and not that of a CustomResourceDefinition."""
        return "." not in self.group or self.group.endswith(".k8s.io")

    @property
    def namespaced(self) -> bool | None:
        """Whether its objects live in namespaces; None: only the API server can tell."""
        return self.kind not in _CLUSTER_SCOPED if self.built_in else None


def kind_of(token: str) -> Kind:
    """`kubernetes:apps/v1:Deployment` -> apps, v1, Deployment."""
    package, _, rest = token.partition(":")
    module, _, kind = rest.rpartition(":")
    group, _, version = module.rpartition("/")
    if package != "kubernetes" or not kind or not group or not version:
        raise PluginError(f"{token} is not a type of the Kubernetes provider that I know.")
    refuse(token, group, kind)
    return Kind("" if group == "core" else group, version, kind)


def refuse(token: str, group: str, kind: str) -> None:
    """Raise for a type that exists in pulumi-kubernetes, but not here."""
    hint = "Install the official plugin to use it, or declare its objects one by one."
    if group in _REFUSED_GROUPS:
        raise PluginError(f"{token}: the stand-in has no {_REFUSED_GROUPS[group]}. {hint}")
    if kind.endswith("Patch"):
        raise PluginError(f"{token}: the stand-in has no Patch resources. {hint}")
    if kind.endswith("List"):
        raise PluginError(f"{token}: a list is not one object. {hint}")
    if kind == "ReplicationController":
        raise PluginError(
            f"{token}: the stand-in cannot await a ReplicationController. Use a Deployment."
        )
