"""Kubernetes objects as an API server returns them, shortened."""

from __future__ import annotations

import json

AVAILABLE = {"type": "Available", "status": "True"}
FINISHED = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
UNAVAILABLE = {
    "type": "Available",
    "status": "False",
    "message": "Deployment does not have minimum availability.",
}
STARTING = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}


def labels(model: str, version: str = "") -> dict[str, str]:
    named = {"app.kubernetes.io/name": model}
    return {**named, "app.kubernetes.io/version": version} if version else named


def deployment(
    model: str,
    version: str,
    conditions: tuple[dict[str, str], ...] = (AVAILABLE, FINISHED),
    *,
    revision: str = "1",
    replicas: int = 2,
    content_hash: str = "a" * 64,
    manager: str = "pulumi-kubernetes",
    extra_annotations: dict[str, str] | None = None,
    deadline_seconds: int = 600,
    ready: int | None = None,
    paused: bool = False,
) -> dict[str, object]:
    annotations = {
        "deployment.kubernetes.io/revision": revision,
        "model-deployment.io/content-hash": content_hash,
        "model-deployment.io/published-at": "2026-01-02T03:04:05Z",
        **{f"model-deployment.io/{key}": value for key, value in (extra_annotations or {}).items()},
    }
    requests = {"cpu": "250m", "memory": "1Gi"}
    container = {"resources": {"requests": requests, "limits": {"nvidia.com/gpu": "1"}}}
    return {
        "metadata": {
            "name": f"{model}-{version}",
            "labels": labels(model, version),
            "annotations": annotations,
            "managedFields": [
                {
                    "manager": manager,
                    "operation": "Apply",
                    "fieldsV1": {"f:spec": {"f:replicas": {}}},
                }
            ],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels(model, version)},
            "template": {"spec": {"containers": [container]}},
            "progressDeadlineSeconds": deadline_seconds,
            "paused": paused,
        },
        "status": {
            "conditions": list(conditions),
            "readyReplicas": replicas if ready is None else ready,
        },
    }


def route(model: str, name: str, weights: object) -> dict[str, object]:
    text = weights if isinstance(weights, str) else json.dumps(weights)
    return {
        "metadata": {
            "name": f"{model}-{name}",
            "labels": labels(model),
            "annotations": {"model-deployment.io/weights": text},
        }
    }
