"""Versions in a real cluster that never run: no kubelet and no scheduler handles them.

A Deployment owns a Pod without the labels of a version, which only decides whether the Deployment
is Available; a paused one creates no Pod and never is. The Pods that the watcher sees belong to no
Deployment. All Pods name a scheduler that does not exist; the bench writes their status as kubelet
would.
"""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from typing import cast

from bench.events.kube import Kube

_Object = dict[str, dict[str, object]]
_IMAGE = "registry.invalid/model@sha256:" + "0" * 64
_LABELS = {
    "app.kubernetes.io/component": "model",
    "app.kubernetes.io/part-of": "model-deployment",
    "app.kubernetes.io/managed-by": "bench",
}
_POD_SPEC = {
    "schedulerName": "nobody",
    "automountServiceAccountToken": False,
    # the namespace of a stack refuses other Pods
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "model",
            "image": _IMAGE,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}
_READY_SECONDS = 10.0
_SETTLED_SECONDS = 0.6
"""Pause between two changes of one version, until its controller has handled the first one.
Deployments and Pods are two streams; only with this pause is their order that of the recorder."""


def deployments(namespace: str) -> str:
    """Return the path of the resource."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def pods(namespace: str) -> str:
    """Return the path of the resource."""
    return f"/api/v1/namespaces/{namespace}/pods"


def leases(namespace: str) -> str:
    """Return the path of the Leases with the watcher's records."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def labels(model: str) -> dict[str, str]:
    """Return the labels of all objects of version v1 of a model."""
    return {**_LABELS, "app.kubernetes.io/name": model, "app.kubernetes.io/version": "v1"}


def selector(model: str) -> str:
    """Return the label selector of the Pod that the Deployment of a model owns."""
    return f"bench={model}"


def deployment(model: str, *, paused: bool = True) -> dict[str, object]:
    """Build a Deployment with one replica."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{model}-v1", "labels": labels(model)},
        "spec": {
            "paused": paused,
            "replicas": 1,
            "selector": {"matchLabels": {"bench": model}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"bench": model}},
                "spec": _POD_SPEC,
            },
        },
    }


def pod(model: str, number: int = 0) -> dict[str, object]:
    """Build a Pod that is never scheduled."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{model}-v1-{number}", "labels": labels(model)},
        "spec": _POD_SPEC,
    }


def status(*, failing: bool) -> dict[str, object]:
    """Build the status of a Pod in a crash loop, or of a starting one."""
    state: dict[str, object] = {"waiting": {"reason": "ContainerCreating"}}
    last: dict[str, object] = {}
    if failing:
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}
        last = {"terminated": {"exitCode": 3, "reason": "Error", "message": "no such file"}}
    container = {
        "name": "model",
        "image": _IMAGE,
        "imageID": "",
        "ready": False,
        "restartCount": 2 if failing else 0,
        "state": state,
        "lastState": last,
    }
    return {"status": {"phase": "Pending", "containerStatuses": [container]}}


def readiness(*, ready: bool) -> dict[str, object]:
    """Build the status of a Pod that is ready or not."""
    return {"status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


async def set_ready(kube: Kube, namespace: str, model: str, *, ready: bool) -> None:
    """Set whether the Deployment of a model is Available; return when it is, or after 10 s."""
    query = f"labelSelector={selector(model)}"
    path = f"{deployments(namespace)}/{model}-v1"
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        items = cast(
            "list[_Object]", (await kube.send("GET", f"{pods(namespace)}?{query}"))["items"]
        )
        for item in items:
            # a Pod of an earlier Deployment may vanish at any time
            with contextlib.suppress(RuntimeError):
                name = item["metadata"]["name"]
                change = readiness(ready=ready)
                await kube.send("PATCH", f"{pods(namespace)}/{name}/status", change)
        await asyncio.sleep(0.1)
        status = cast("_Object", (await kube.send("GET", path))["status"])
        conditions = cast("list[dict[str, str]]", status.get("conditions", []))
        if {"Available": str(ready)} in [{item["type"]: item["status"]} for item in conditions]:
            return


@dataclass
class _Version:
    model: str
    exists: bool = False
    ready: bool = False
    broken: bool = False
    has_pod: bool = False
    touched: float = 0.0


class Changer:
    """Create, break, repair and delete versions, and change their readiness, at random."""

    def __init__(self, kube: Kube, namespace: str, chance: random.Random, count: int = 10) -> None:
        """`count`: the number of versions, none of which exists at the start."""
        self._kube, self._namespace, self._chance = kube, namespace, chance
        self._deployments, self._pods = deployments(namespace), pods(namespace)
        self._versions = [_Version(f"m{number}") for number in range(count)]
        self.changes = 0

    async def change(self) -> None:
        """Change a version that is not within its pause; return after the API server's reply."""
        rested = time.monotonic() - _SETTLED_SECONDS
        while not (free := [version for version in self._versions if version.touched < rested]):
            await asyncio.sleep(0.02)
            rested = time.monotonic() - _SETTLED_SECONDS
        version = self._chance.choice(free)
        await self._act(version)
        version.touched = time.monotonic()
        self.changes += 1

    async def _act(self, version: _Version) -> None:
        name = f"{version.model}-v1"
        if not version.exists:
            version.exists, version.ready = True, False
            body = deployment(version.model, paused=False)
            await self._kube.send("POST", self._deployments, body)
            return
        draw = self._chance.random()
        if draw < 0.12:  # noqa: PLR2004 - the share of deletions
            version.exists = False
            await self._kube.send("DELETE", f"{self._deployments}/{name}")
        elif draw < 0.55:  # noqa: PLR2004 - and of changes of readiness
            version.ready = not version.ready
            await set_ready(self._kube, self._namespace, version.model, ready=version.ready)
        else:
            await self._break_or_repair(version)

    async def _break_or_repair(self, version: _Version) -> None:
        path = f"{self._pods}/{version.model}-v1-0"
        if not version.has_pod:
            await self._kube.send("POST", self._pods, pod(version.model))
        elif self._chance.random() < 0.2:  # noqa: PLR2004 - the share of Pods that are replaced
            version.has_pod = version.broken = False
            await self._kube.send("DELETE", path)
            return
        version.has_pod, version.broken = True, not version.broken
        await self._kube.send("PATCH", f"{path}/status", status(failing=version.broken))
