"""Which Pods stay when there is not room for all: those that all models need."""

import pulumi
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from components.naming import labels

NAME = "priority-of-the-platform"
_VALUE = 1_000_000
"""Above models, which have a cluster's default (0 where it has none); below Kubernetes' own."""


def platform_priority(namespace_name: str) -> pulumi.Output[str]:
    """Declare it; returns its name, which carries the namespace's since it is cluster-wide."""
    declared = PriorityClass(
        NAME,
        metadata={"name": f"model-deployment-platform-{namespace_name}", "labels": labels(NAME)},
        value=_VALUE,
        description="Ingress controller, message broker and watcher: models wait for these.",
    )
    return declared.metadata["name"]
