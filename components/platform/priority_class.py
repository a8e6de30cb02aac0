"""The priority class of platform Pods, which every model depends on."""

import pulumi
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from components.naming import labels

NAME = "priority-of-the-platform"
_VALUE = 1_000_000
"""Above models, which have the cluster's default (usually 0); below system priorities."""


def declare_priority_class(namespace_name: str) -> pulumi.Output[str]:
    """Declare the class; return its name, which contains the namespace: it is cluster-wide."""
    declared = PriorityClass(
        NAME,
        metadata={"name": f"model-deployment-platform-{namespace_name}", "labels": labels(NAME)},
        value=_VALUE,
        description="Ingress controller, message broker and watcher: models wait for these.",
    )
    return declared.metadata["name"]
