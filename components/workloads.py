"""Parts that several workloads share: selectors, rollout, disruption budget, annotations."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.apps.v1 import DeploymentStrategyArgsDict
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""Annotation of objects whose readiness is awaited elsewhere: waiting again only costs time."""

NO_DOWNTIME: DeploymentStrategyArgsDict = {
    "type": "RollingUpdate",
    "rolling_update": {"max_surge": 1, "max_unavailable": 0},
}
"""A new Pod is ready before an old one stops."""


def platform_selector(component: str) -> dict[str, str]:
    """Return the labels that select the Pods of a platform component."""
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "model-deployment",
    }


def scrape_annotations(port: int, path: str = "") -> dict[str, str]:
    """Return the annotations by which Prometheus scrapes a Pod; its default path is /metrics."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        **({"prometheus.io/path": path} if path else {}),
    }


def declare_disruption_budget(
    name: str,
    meta: ObjectMetaArgsDict,
    selector: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> PodDisruptionBudget:
    """Allow one voluntary disruption; `minAvailable` would block drains with one replica."""
    return PodDisruptionBudget(
        name,
        metadata=meta,
        spec={"max_unavailable": 1, "selector": {"match_labels": dict(selector)}},
        opts=opts,
    )
