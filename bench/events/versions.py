"""Versions in a real cluster that never run: no kubelet and no scheduler handles them.

Their Deployments are paused, so that the Deployment controller creates no Pods but updates the
conditions: Available with no replicas, not Available with one. Their Pods name a scheduler that
does not exist; the bench writes their status as kubelet would.
"""

import asyncio
import random
import time
from dataclasses import dataclass

from bench.events.kube import Kube

_IMAGE = "registry.invalid/model@sha256:" + "0" * 64
_LABELS = {
    "app.kubernetes.io/component": "model",
    "app.kubernetes.io/part-of": "model-deployment",
    "app.kubernetes.io/managed-by": "bench",
}
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


def deployment(model: str, replicas: int) -> dict[str, object]:
    """Build a Deployment that creates no Pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{model}-v1", "labels": labels(model)},
        "spec": {
            "paused": True,
            "replicas": replicas,
            "selector": {"matchLabels": {"bench": model}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"bench": model}},
                "spec": {"containers": [{"name": "model", "image": _IMAGE}]},
            },
        },
    }


def pod(model: str, number: int = 0) -> dict[str, object]:
    """Build a Pod that is never scheduled."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{model}-v1-{number}", "labels": labels(model)},
        "spec": {
            "schedulerName": "nobody",
            "automountServiceAccountToken": False,
            "containers": [{"name": "model", "image": _IMAGE}],
        },
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


@dataclass
class _Version:
    model: str
    exists: bool = False
    replicas: int = 0
    broken: bool = False
    has_pod: bool = False
    touched: float = 0.0


class Changer:
    """Create, break, repair, scale and delete versions at random."""

    def __init__(self, kube: Kube, namespace: str, chance: random.Random, count: int = 10) -> None:
        """`count`: the number of versions, none of which exists at the start."""
        self._kube, self._chance = kube, chance
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
            version.exists, version.replicas = True, self._chance.randint(0, 1)
            body = deployment(version.model, version.replicas)
            await self._kube.send("POST", self._deployments, body)
            return
        draw = self._chance.random()
        if draw < 0.12:  # noqa: PLR2004 - the share of deletions
            version.exists = False
            await self._kube.send("DELETE", f"{self._deployments}/{name}")
        elif draw < 0.55:  # noqa: PLR2004 - and of scalings
            version.replicas = 1 - version.replicas
            spec = {"spec": {"replicas": version.replicas}}
            await self._kube.send("PATCH", f"{self._deployments}/{name}", spec)
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
