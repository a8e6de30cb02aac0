"""The state of the cluster as plain data, from labels, annotations and status."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from kubernetes.utils.quantity import parse_quantity

from components.naming import annotation
from components.pods import GPU

WEIGHTS = annotation("weights")
"""Annotation of a route's object: its weights as JSON, for users and previews."""

ROUTE = annotation("route")
"""Annotation of a route's object: the whole route as JSON; a difference changes traffic."""

FIELD_MANAGER = "model-deployment-hand-over"
"""The field manager that owns `spec.replicas` during the transfer to an autoscaler."""

Object = Mapping[str, object]
"""A Kubernetes object as returned by the API server."""


@dataclass(frozen=True)
class ResourceRequests:
    """Resource requests: CPU in millicores, memory in bytes, GPUs."""

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def __add__(self, addend: "ResourceRequests") -> "ResourceRequests":
        return ResourceRequests(
            self.cpu + addend.cpu, self.memory + addend.memory, self.gpu + addend.gpu
        )

    def __sub__(self, addend: "ResourceRequests") -> "ResourceRequests":
        return ResourceRequests(
            self.cpu - addend.cpu, self.memory - addend.memory, self.gpu - addend.gpu
        )

    def times(self, replicas: int) -> "ResourceRequests":
        """Return the requests of several equal Pods."""
        return ResourceRequests(self.cpu * replicas, self.memory * replicas, self.gpu * replicas)


@dataclass(frozen=True)
class VersionState:
    """The current state of a version's Deployment."""

    content_hash: str
    published_at: str
    commit: str
    ref: str
    replicas: int
    replicas_owned_by_pulumi: bool
    """Whether Pulumi owns `spec.replicas`: dropping the field would then reset it to 1."""
    available: bool
    ever_available: bool
    """False only while the first rollout has not succeeded: the version was never used."""
    requests: ResourceRequests
    """Resource requests of one Pod."""


@dataclass(frozen=True)
class ClusterState:
    """All versions by (model, version), and all weights by (model, route)."""

    versions: Mapping[tuple[str, str], VersionState] = field(default_factory=dict)
    routes: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    route_annotations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Each route as stored in its annotation `route`."""


def _get_path(item: object, *path: str) -> object:
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def _get_str(item: object, *path: str) -> str:
    value = _get_path(item, *path)
    return value if isinstance(value, str) else ""


def _get_int(item: object, *path: str) -> int:
    value = _get_path(item, *path)
    return value if isinstance(value, int) else 0


def _pod_requests(pod: object) -> ResourceRequests:
    total = ResourceRequests()
    for container in cast("list[object]", _get_path(pod, "containers") or []):
        requests = _get_path(container, "resources", "requests") or {}
        total += ResourceRequests(
            int(parse_quantity(_get_str(requests, "cpu") or "0") * 1000),
            int(parse_quantity(_get_str(requests, "memory") or "0")),
            int(_get_str(container, "resources", "limits", GPU) or 0),
        )
    return total


def _conditions(deployment: Object) -> dict[str, object]:
    entries = cast("list[object]", _get_path(deployment, "status", "conditions") or [])
    return {_get_str(entry, "type"): entry for entry in entries}


def _applied_replicas(deployment: Object) -> bool:
    """Return whether a server-side apply other than the ownership transfer set the replicas."""
    entries = cast("list[object]", _get_path(deployment, "metadata", "managedFields") or [])
    return any(
        _get_path(entry, "fieldsV1", "f:spec", "f:replicas") is not None
        and _get_str(entry, "operation") == "Apply"
        and _get_str(entry, "manager") != FIELD_MANAGER
        for entry in entries
    )


def parse_version(deployment: Object) -> VersionState:
    """Parse a version from its Deployment."""
    conditions = _conditions(deployment)
    available = _get_str(conditions.get("Available"), "status") == "True"
    finished = _get_str(conditions.get("Progressing"), "reason") == "NewReplicaSetAvailable"
    first = _get_str(
        deployment, "metadata", "annotations", "deployment.kubernetes.io/revision"
    ) in (
        "",
        "1",
    )
    return VersionState(
        content_hash=_get_str(deployment, "metadata", "annotations", annotation("content-hash")),
        published_at=_get_str(deployment, "metadata", "annotations", annotation("published-at")),
        commit=_get_str(deployment, "metadata", "annotations", annotation("git-commit")),
        ref=_get_str(deployment, "metadata", "annotations", annotation("git-ref")),
        replicas=_get_int(deployment, "spec", "replicas"),
        replicas_owned_by_pulumi=_applied_replicas(deployment),
        available=available,
        ever_available=available or finished or not first,
        requests=_pod_requests(_get_path(deployment, "spec", "template", "spec")),
    )


def _read_weights(item: Object) -> dict[str, int] | None:
    try:
        weights = json.loads(_get_str(item, "metadata", "annotations", WEIGHTS) or "null")
    except ValueError:
        return None  # edited by hand; the next update rewrites it
    is_valid = isinstance(weights, dict) and all(
        isinstance(share, int) for share in weights.values()
    )
    return weights if is_valid else None


def parse_cluster_state(deployments: list[Object], routes: list[Object]) -> ClusterState:
    """Parse the lists of one namespace."""

    def key(item: Object, part: str) -> tuple[str, str]:
        model = _get_str(item, "metadata", "labels", "app.kubernetes.io/name")
        return model, part

    versions = {
        key(item, _get_str(item, "metadata", "labels", "app.kubernetes.io/version")): parse_version(
            item
        )
        for item in deployments
    }
    splits, texts = {}, {}
    for item in routes:
        split = _read_weights(item)
        model = _get_str(item, "metadata", "labels", "app.kubernetes.io/name")
        if split is not None:
            name = _get_str(item, "metadata", "name").removeprefix(f"{model}-")
            splits[model, name] = split
            texts[model, name] = _get_str(item, "metadata", "annotations", ROUTE)
    return ClusterState(versions, splits, texts)
