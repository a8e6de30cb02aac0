"""Which changes need a new object: identity, and what the API server never changes."""

from __future__ import annotations

from local.plugins.access import mapping, text
from local.plugins.differences import Change
from local.plugins.kubernetes.steering import AUTONAMED, is_on
from local.plugins.kubernetes.tokens import Kind
from local.plugins.paths import Path, parse, touches
from local.plugins.values import UNKNOWN, Object

_POD_FIELDS = [
    "activeDeadlineSeconds",
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "imagePullSecrets",
    "initContainers",
    "nodeName",
    "nodeSelector",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "resourceClaims",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "serviceAccount",
    "serviceAccountName",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
    "volumes",
    "containers",
]

_IMMUTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): (
        "spec.completionMode",
        "spec.completions",
        "spec.parallelism",
        "spec.selector",
        "spec.template",
    ),
    ("", "ConfigMap"): ("binaryData", "data"),
    ("", "Secret"): ("data", "stringData", "type"),
    ("", "Service"): ("spec.clusterIP",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "PersistentVolume"): ("spec",),
    ("", "PersistentVolumeClaim"): ("spec",),
    ("", "Pod"): tuple(f"spec.{field}" for field in _POD_FIELDS),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): (
        "parameters",
        "provisioner",
        "reclaimPolicy",
        "volumeBindingMode",
    ),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        "spec.group",
        "spec.scope",
        "spec.names.kind",
    ),
}

_IDENTITY: tuple[Path, ...] = (("metadata", "name"), ("metadata", "namespace"), ("kind",))


def needs_new_object(
    kind: Kind, changes: list[Change], news: Object, *, mutable: bool
) -> list[Change]:
    """The changes that cannot be made to the object in place.

    As the official plugin does, changed ConfigMaps and Secrets are replaced, so that what mounts
    them notices; `mutable` turns that off, except for objects that are immutable by themselves.
    """
    patterns = [*_IDENTITY]
    keep = mutable and news.get("immutable") is not True
    if not (kind.kind in ("ConfigMap", "Secret") and keep):
        patterns += [parse(path) for path in _IMMUTABLE.get((kind.group, kind.kind), ())]
    if keep and kind.kind == "Secret":
        patterns.append(("type",))
    return [item for item in changes if any(touches(pattern, item.path) for pattern in patterns)]


def deletes_first(news: Object, resource_id: str) -> bool:
    """Whether old and new object would have the same name, so that they cannot coexist."""
    name, namespace = text(news, "metadata", "name"), text(news, "metadata", "namespace")
    if is_on(news, AUTONAMED) or UNKNOWN in (name, namespace):
        return False
    old_namespace, _, old_name = resource_id.rpartition("/")
    same_place = not namespace or namespace == old_namespace
    return bool(mapping(news, "metadata")) and name == old_name and same_place
