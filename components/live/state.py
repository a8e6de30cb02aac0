"""What stands in the cluster, as plain data read from labels, annotations and status."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from kubernetes.utils.quantity import parse_quantity

from components.naming import annotation
from components.pods import GPU

WEIGHTS = annotation("weights")
"""On a route's object: its split as JSON. What people see in `kubectl`, and previews compare to."""

ROUTE = annotation("route")
"""Beside it: the whole route, also as JSON. A difference in it is a move."""

HAND_OVER = "model-deployment-hand-over"
"""The field manager that holds a number of replicas between Pulumi and an autoscaler."""

Object = Mapping[str, object]
"""A Kubernetes object as the API server gives it."""


@dataclass(frozen=True)
class Demand:
    """What Pods ask of nodes: CPU in thousandths of a core, memory in bytes, whole GPUs."""

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu)

    def __sub__(self, other: "Demand") -> "Demand":
        return Demand(self.cpu - other.cpu, self.memory - other.memory, self.gpu - other.gpu)

    def times(self, replicas: int) -> "Demand":
        """The demand of several equal Pods."""
        return Demand(self.cpu * replicas, self.memory * replicas, self.gpu * replicas)


@dataclass(frozen=True)
class LiveVersion:
    """A version's Deployment as it stands."""

    content_hash: str
    published_at: str
    commit: str
    ref: str
    replicas: int
    replicas_are_ours: bool
    """Whether Pulumi wrote the number: then leaving it out would make it 1."""
    available: bool
    was_available: bool
    """False only for a first rollout that has not succeeded: nobody can have used it."""
    demand: Demand
    """Of one Pod."""
    message: str = ""
    """The Deployment's own word on why it is not available."""


@dataclass(frozen=True)
class Live:
    """All versions by (model, version), and all splits by (model, route)."""

    versions: Mapping[tuple[str, str], LiveVersion] = field(default_factory=dict)
    routes: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    route_texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Each route as its annotation `route` has it."""


def _at(item: object, *path: str) -> object:
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def _text(item: object, *path: str) -> str:
    found = _at(item, *path)
    return found if isinstance(found, str) else ""


def _number(item: object, *path: str) -> int:
    found = _at(item, *path)
    return found if isinstance(found, int) else 0


def _demand(pod: object) -> Demand:
    total = Demand()
    for container in cast("list[object]", _at(pod, "containers") or []):
        asked = _at(container, "resources", "requests") or {}
        total += Demand(
            int(parse_quantity(_text(asked, "cpu") or "0") * 1000),
            int(parse_quantity(_text(asked, "memory") or "0")),
            int(_text(container, "resources", "limits", GPU) or 0),
        )
    return total


def _conditions(deployment: Object) -> dict[str, object]:
    rows = cast("list[object]", _at(deployment, "status", "conditions") or [])
    return {_text(row, "type"): row for row in rows}


def _applied_replicas(deployment: Object) -> bool:
    """Whether the number stands by a server-side apply, other than the hand-over's."""
    rows = cast("list[object]", _at(deployment, "metadata", "managedFields") or [])
    return any(
        _at(row, "fieldsV1", "f:spec", "f:replicas") is not None
        and _text(row, "operation") == "Apply"
        and _text(row, "manager") != HAND_OVER
        for row in rows
    )


def version(deployment: Object) -> LiveVersion:
    """A version from its Deployment."""
    conditions = _conditions(deployment)
    available = _text(conditions.get("Available"), "status") == "True"
    finished = _text(conditions.get("Progressing"), "reason") == "NewReplicaSetAvailable"
    first = _text(deployment, "metadata", "annotations", "deployment.kubernetes.io/revision") in (
        "",
        "1",
    )
    wrong = [_text(row, "message") for row in conditions.values() if _text(row, "status") != "True"]
    return LiveVersion(
        content_hash=_text(deployment, "metadata", "annotations", annotation("content-hash")),
        published_at=_text(deployment, "metadata", "annotations", annotation("published-at")),
        commit=_text(deployment, "metadata", "annotations", annotation("git-commit")),
        ref=_text(deployment, "metadata", "annotations", annotation("git-ref")),
        replicas=_number(deployment, "spec", "replicas"),
        replicas_are_ours=_applied_replicas(deployment),
        available=available,
        was_available=available or finished or not first,
        demand=_demand(_at(deployment, "spec", "template", "spec")),
        message=" ".join(filter(None, wrong)),
    )


def _split(item: Object) -> dict[str, int] | None:
    try:
        found = json.loads(_text(item, "metadata", "annotations", WEIGHTS) or "null")
    except ValueError:
        return None  # somebody's hand; the next update writes it anew
    whole = isinstance(found, dict) and all(isinstance(share, int) for share in found.values())
    return found if whole else None


def live(deployments: list[Object], routes: list[Object]) -> Live:
    """Everything from the lists of one namespace."""

    def key(item: Object, part: str) -> tuple[str, str]:
        model = _text(item, "metadata", "labels", "app.kubernetes.io/name")
        return model, part

    versions = {
        key(item, _text(item, "metadata", "labels", "app.kubernetes.io/version")): version(item)
        for item in deployments
    }
    splits, texts = {}, {}
    for item in routes:
        split = _split(item)
        model = _text(item, "metadata", "labels", "app.kubernetes.io/name")
        if split is not None:
            name = _text(item, "metadata", "name").removeprefix(f"{model}-")
            splits[model, name] = split
            texts[model, name] = _text(item, "metadata", "annotations", ROUTE)
    return Live(versions, splits, texts)
