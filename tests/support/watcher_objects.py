"""Builders of Deployments and Pods with the fields that tests vary."""

Object = dict[str, object]
LABELS = {
    "app.kubernetes.io/component": "model",
    "app.kubernetes.io/part-of": "model-deployment",
    "app.kubernetes.io/managed-by": "pulumi",
}


def labels(model: str, version: str) -> dict[str, str]:
    return {**LABELS, "app.kubernetes.io/name": model, "app.kubernetes.io/version": version}


def deployment(
    model: str = "iris",
    version: str = "v1",
    *,
    uid: str = "uid-1",
    available: bool | None = None,
    progressing: str = "ReplicaSetUpdated",
    message: str = "",
    replicas: int = 1,
    ready: int | None = None,
) -> Object:
    """Build a Deployment; `available` None: without conditions, as before its first sync.

    An available one has all replicas ready, any other one none; `ready` overrides this.
    """
    if ready is None:
        ready = replicas if available else 0
    conditions: list[Object] = []
    if available is not None:
        overdue = progressing == "ProgressDeadlineExceeded"
        conditions = [
            {"type": "Available", "status": str(available), "reason": "", "message": ""},
            {
                "type": "Progressing",
                "status": str(not overdue),
                "reason": progressing,
                "message": message,
            },
        ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{model}-{version}",
            "namespace": "models",
            "uid": uid,
            "labels": labels(model, version),
            "annotations": {
                "model-deployment.io/content-hash": "92e0a666",
                "model-deployment.io/published-at": "2026-11-22T21:30:10Z",
                "deployment.kubernetes.io/revision": "1",
            },
        },
        "spec": {
            "replicas": replicas,
            "template": {
                "spec": {"containers": [{"name": "model", "image": f"r/{model}@sha256:1"}]}
            },
        },
        "status": {
            "conditions": conditions,
            "readyReplicas": (replicas if available else 0) if ready is None else ready,
        },
    }


def container(
    *,
    waiting: Object | None = None,
    terminated: Object | None = None,
    last: Object | None = None,
    restarts: int = 0,
    started: bool = False,
) -> Object:
    state: Object = {"running": {"startedAt": "2026-11-22T21:33:05Z"}}
    if waiting is not None:
        state = {"waiting": waiting}
    if terminated is not None:
        state = {"terminated": terminated}
    return {
        "name": "model",
        "image": "r/iris@sha256:1",
        "ready": False,
        "started": started,
        "restartCount": restarts,
        "state": state,
        "lastState": {} if last is None else {"terminated": last},
    }


def pod(
    model: str = "iris",
    version: str = "v1",
    *,
    name: str = "iris-v1-a",
    created: str = "2026-11-22T21:30:16Z",
    containers: list[Object] | None = None,
    conditions: list[Object] | None = None,
    phase: str = "Pending",
    deleted: str | None = None,
) -> Object:
    meta: Object = {
        "name": name,
        "namespace": "models",
        "uid": f"uid-{name}",
        "labels": labels(model, version),
        "creationTimestamp": created,
    }
    if deleted is not None:
        meta["deletionTimestamp"] = deleted
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "model", "env": [{"name": "KEY", "value": "s3cret"}]}]},
        "status": {
            "phase": phase,
            "conditions": conditions or [],
            "containerStatuses": containers or [],
        },
    }


def crashed(code: int = 3, message: str = "no such file: model.pkl", **fields: object) -> Object:
    """Build the state of a terminated container."""
    return {
        "exitCode": code,
        "reason": "Error",
        "message": message,
        "startedAt": "2026-11-22T21:30:18Z",
        "finishedAt": "2026-11-22T21:30:19Z",
        **fields,
    }


def crash_looping(**changes: object) -> Object:
    """Build a Pod in back-off."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    looping = container(waiting=waiting, last=crashed(), restarts=2)
    return pod(containers=[looping], phase="Running", **changes)  # type: ignore[arg-type]
