"""Determine why a workload is not Available from one read of it and its Pods."""

from dataclasses import dataclass
from typing import cast

import msgspec

from cluster_client.api_types import Deployment, Pod
from cluster_client.pod_diagnosis import diagnose_deployment, diagnose_replicas, eviction_message
from components.cluster_state.client import ClusterClient

DEPLOYMENTS = "deployments"
STATEFUL_SETS = "statefulsets"


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet, and the reason why its last rollout failed or is pending."""

    is_available: bool
    deadline_seconds: int | None
    selector: str
    """Label selector of its Pods."""
    reason: str
    """Empty if the rollout succeeded or its Pods do not show the reason."""


def read_workload(cluster: ClusterClient, namespace: str, kind: str, name: str) -> Workload | None:
    """Read a workload of `apps/v1`; None if it does not exist.

    Raises ClusterUnavailableError.
    """
    manifest = cluster.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}")
    if manifest is None:
        return None
    workload = msgspec.convert(manifest, Deployment)
    is_available = workload.condition("Available").status == "True"
    hindrance = _hindrance(workload) if kind == DEPLOYMENTS else ""
    has_rolled_out = workload.condition("Progressing").reason == "NewReplicaSetAvailable"
    selector = ",".join(
        f"{key}={value}" for key, value in workload.spec.selector.match_labels.items()
    )
    reason = ""
    if not (is_available and has_rolled_out):
        items = cluster.items(f"/api/v1/namespaces/{namespace}/pods", selector)
        pods = msgspec.convert(items, list[Pod])
        problem = diagnose_deployment(workload, pods)
        reason = _eviction(cluster, namespace, pods) or (str(problem) if problem else "")
    return Workload(
        is_available=is_available and not hindrance,
        deadline_seconds=workload.spec.progress_deadline_seconds,
        selector=selector,
        reason=hindrance if workload.spec.paused else reason or hindrance,
    )


def _hindrance(deployment: Deployment) -> str:
    """Return why a Deployment cannot serve although Kubernetes reports it as Available.

    The condition holds for a Deployment without replicas, and a paused one does not roll out.
    """
    if deployment.spec.paused:
        return "it is paused; run kubectl rollout resume"
    return diagnose_replicas(deployment)


def _eviction(cluster: ClusterClient, namespace: str, pods: list[Pod]) -> str:
    """Return the reason of an eviction whose container ended with exit code 0.

    Kubernetes reports such a Pod as Succeeded; only the event has the reason.
    """
    succeeded = {pod.metadata.name for pod in pods if pod.status.phase == "Succeeded"}
    if not succeeded:
        return ""
    query = [("fieldSelector", "reason=Evicted,involvedObject.kind=Pod")]
    events = cluster.get(f"/api/v1/namespaces/{namespace}/events", query) or {}
    for event in cast("list[dict[str, dict[str, str]]]", events.get("items", [])):
        if event["involvedObject"]["name"] in succeeded:
            message = cast("str", event["message"])
            return f"Evicted: {eviction_message(message)}"
    return ""
