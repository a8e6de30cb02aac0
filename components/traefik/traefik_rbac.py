"""RBAC of Traefik: routing objects of one namespace; classes and nodes of the cluster."""

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgsDict,
    Role,
    RoleBinding,
    SubjectArgsDict,
)

_READ = ["get", "list", "watch"]
_GROUP = "rbac.authorization.k8s.io"


def _rule(group: str, resources: list[str], verbs: list[str]) -> PolicyRuleArgsDict:
    return {"api_groups": [group], "resources": resources, "verbs": verbs}


_NAMESPACE_RULES = [
    # secrets: TLS certificates that an Ingress references
    _rule("", ["services", "secrets", "configmaps"], _READ),
    _rule("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
    _rule("networking.k8s.io", ["ingresses"], _READ),
    _rule(
        "traefik.io",
        [
            "ingressroutes",
            "ingressroutetcps",
            "ingressrouteudps",
            "middlewares",
            "middlewaretcps",
            "serverstransports",
            "serverstransporttcps",
            "tlsoptions",
            "tlsstores",
            "traefikservices",
        ],
        _READ,
    ),
]
_CLUSTER_RULES = [
    _rule("networking.k8s.io", ["ingressclasses"], _READ),
    _rule("", ["nodes"], _READ),
]


def bind_role(
    name: str,
    meta: ObjectMetaArgsDict,
    cluster_name: str,
    account: ServiceAccount,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Bind both sets of rules to `account`; return the bindings."""
    cluster_meta: ObjectMetaArgsDict = {"name": cluster_name, "labels": meta["labels"]}
    subject: SubjectArgsDict = {
        "kind": "ServiceAccount",
        "name": account.metadata["name"],
        "namespace": meta["namespace"],
    }
    role = Role(name, metadata=meta, rules=_NAMESPACE_RULES, opts=opts)
    cluster_role = ClusterRole(name, metadata=cluster_meta, rules=_CLUSTER_RULES, opts=opts)
    binding = RoleBinding(
        name,
        metadata=meta,
        role_ref={"api_group": _GROUP, "kind": "Role", "name": role.metadata["name"]},
        subjects=[subject],
        opts=opts,
    )
    cluster_binding = ClusterRoleBinding(
        name,
        metadata=cluster_meta,
        role_ref={
            "api_group": _GROUP,
            "kind": "ClusterRole",
            "name": cluster_role.metadata["name"],
        },
        subjects=[subject],
        opts=opts,
    )
    return [binding, cluster_binding]
