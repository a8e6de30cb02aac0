"""The network policies of a namespace: deny by default, and one policy per component.

The cluster's network must enforce them: on EKS with the VPC CNI's network policy setting.
"""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.naming import annotation, labels
from components.platform.network_flows import (
    EVERY_POD,
    Flow,
    allowed_flows,
    flows_by_component,
    policy,
)

DENY = "deny-by-default"
_NAME = "network-policy"


def declare_network_policies(namespace: pulumi.Input[str], egress_cidrs: Sequence[str]) -> None:
    """Declare the policies. The default deny is created last and deleted first."""
    component_flows = flows_by_component(allowed_flows(egress_cidrs))
    opened = [
        _policy(component, component, namespace, flows, pulumi.ResourceOptions())
        for component, flows in component_flows.items()
        if component != EVERY_POD
    ]
    last = pulumi.ResourceOptions(depends_on=opened)
    _policy(DENY, EVERY_POD, namespace, component_flows[EVERY_POD], last)


def _policy(
    name: str,
    component: str,
    namespace: pulumi.Input[str],
    flows: Sequence[Flow],
    opts: pulumi.ResourceOptions,
) -> NetworkPolicy:
    meta: ObjectMetaArgsDict = {
        "name": name,
        "namespace": namespace,
        "labels": labels(_NAME),
        "annotations": {annotation("ways"): "\n".join(map(str, flows))},
    }
    return NetworkPolicy(name, metadata=meta, spec=policy(component, flows), opts=opts)
