"""RBAC of the watcher: watch the objects that it reports on, and write its Leases."""

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict, Role, RoleBinding

_LIST_WATCH = ["list", "watch"]
_RULES: list[PolicyRuleArgsDict] = [
    {"api_groups": ["apps"], "resources": ["deployments"], "verbs": _LIST_WATCH},
    {"api_groups": [""], "resources": ["pods"], "verbs": _LIST_WATCH},
    {
        "api_groups": ["traefik.io"],
        "resources": ["ingressroutes", "traefikservices"],
        "verbs": _LIST_WATCH,
    },
    # the leader's Lease and one record Lease per version: their names are not known in advance
    {
        "api_groups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": [*_LIST_WATCH, "get", "create", "patch", "delete"],
    },
]


def bind_role(
    name: str, meta: ObjectMetaArgsDict, account: ServiceAccount, opts: pulumi.ResourceOptions
) -> RoleBinding:
    """Bind the rules to `account` within its namespace; return the binding."""
    role = Role(name, metadata=meta, rules=_RULES, opts=opts)
    return RoleBinding(
        name,
        metadata=meta,
        role_ref={
            "api_group": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role.metadata["name"],
        },
        subjects=[
            {
                "kind": "ServiceAccount",
                "name": account.metadata["name"],
                "namespace": meta["namespace"],
            }
        ],
        opts=opts,
    )
