"""When a workload is rolled out. Pure: the object (and its pods) in, a verdict out."""

from __future__ import annotations

from local.plugins.access import condition, dig, mapping, objects, text, whole
from local.plugins.kubernetes.readiness import pods as pod_reasons
from local.plugins.kubernetes.readiness.verdict import READY, Problem, Verdict
from local.plugins.values import Object

REFUSED_PATIENCE = 10.0
"""Seconds that the API server may refuse new pods (quota, policy) before it is final."""

REVISION_HASH = "controller-revision-hash"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"

SETTLE = 3.0
"""Seconds that a container without a readiness probe must run: Kubernetes calls it ready the moment
it starts, also when it is about to crash."""

REVISION = "deployment.kubernetes.io/revision"


def _observed(obj: Object) -> bool:
    return whole(obj, "status", "observedGeneration") >= whole(obj, "metadata", "generation")


_UNSEEN = Verdict(ready=False, note="waiting for its controller")
"""What status and pods say is about the object before this change: not to be judged."""


def _title(obj: Object) -> str:
    return f"{text(obj, 'kind')} {text(obj, 'metadata', 'name')}"


def _rolled_out(obj: Object) -> Verdict:
    containers = objects(obj, "spec", "template", "spec", "containers")
    probed = all("readinessProbe" in container for container in containers)
    runs = whole(obj, "spec", "replicas", default=1) > 0
    return Verdict(ready=True, note="watching it run", settle=0.0 if probed or not runs else SETTLE)


def _blocked(obj: Object, pods: list[Object], note: str, more: tuple[Problem, ...] = ()) -> Verdict:
    found = [problem for pod in pods for problem in pod_reasons.problems(pod)]
    step = pod_reasons.next_step(text(obj, "metadata", "namespace"), pods)
    return Verdict(False, note, (*found, *more), step)


def _label(pod: Object, key: str) -> str:
    return text(mapping(pod, "metadata", "labels"), key)


def newest_replica_set(deployment: Object, replica_sets: list[Object]) -> Object:
    """The ReplicaSet of the deployment's present template, or {}."""
    uid = dig(deployment, "metadata", "uid")
    revision = mapping(deployment, "metadata", "annotations").get(REVISION)
    for replica_set in replica_sets:
        owned = any(
            ref.get("uid") == uid for ref in objects(replica_set, "metadata", "ownerReferences")
        )
        if owned and mapping(replica_set, "metadata", "annotations").get(REVISION) == revision:
            return replica_set
    return {}


def owned_by(owner: Object, pods: list[Object]) -> list[Object]:
    """The pods of one owner, without those on their way out."""
    uid = dig(owner, "metadata", "uid")
    return [
        pod
        for pod in pods
        if uid
        and any(ref.get("uid") == uid for ref in objects(pod, "metadata", "ownerReferences"))
        and not text(pod, "metadata", "deletionTimestamp")
    ]


def deployment(obj: Object, pods: list[Object]) -> Verdict:
    """Rolled out as `kubectl rollout status` sees it; `pods` are those of the new ReplicaSet."""
    wanted = whole(obj, "spec", "replicas", default=1)
    if not _observed(obj):
        return _UNSEEN
    updated = whole(obj, "status", "updatedReplicas")
    present = whole(obj, "status", "replicas")
    available = whole(obj, "status", "availableReplicas")
    if updated >= wanted and present == updated and available >= updated:
        return _rolled_out(obj)
    return _blocked(obj, pods, f"{available} of {wanted} pods are available", _stuck(obj))


def _stuck(obj: Object) -> tuple[Problem, ...]:
    found = []
    progressing, refused = condition(obj, "Progressing"), condition(obj, "ReplicaFailure")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        seconds = whole(obj, "spec", "progressDeadlineSeconds", default=600)
        story = f"no progress for {seconds} s (progressDeadlineSeconds)"
        found.append(Problem(_title(obj), "ProgressDeadlineExceeded", story, 0.0))
    if refused.get("status") == "True":
        reason = text(refused, "reason")
        story = f"its pods are refused ({reason}): {text(refused, 'message')}"
        found.append(Problem(_title(obj), reason, story, REFUSED_PATIENCE))
    return tuple(found)


def stateful_set(obj: Object, pods: list[Object]) -> Verdict:
    """Every replica ready, and of the present revision where the update strategy rolls."""
    wanted = whole(obj, "spec", "replicas", default=1)
    strategy = text(obj, "spec", "updateStrategy", "type") or "RollingUpdate"
    partition = whole(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    ready = whole(obj, "status", "readyReplicas")
    updated = whole(obj, "status", "updatedReplicas")
    rolled = strategy != "RollingUpdate" or updated >= wanted - partition
    if not partition and strategy == "RollingUpdate":
        current, update = (
            text(obj, "status", "currentRevision"),
            text(obj, "status", "updateRevision"),
        )
        rolled = rolled and (current == update or not wanted)
    if not _observed(obj):
        return _UNSEEN
    pods = [
        pod for pod in pods if _label(pod, REVISION_HASH) == text(obj, "status", "updateRevision")
    ]
    if ready >= wanted and rolled:
        return _rolled_out(obj)
    return _blocked(obj, pods, f"{ready} of {wanted} pods are ready, {updated} updated")


def daemon_set(obj: Object, pods: list[Object]) -> Verdict:
    """Available on every node that should run it."""
    wanted = whole(obj, "status", "desiredNumberScheduled")
    updated = whole(obj, "status", "updatedNumberScheduled")
    available = whole(obj, "status", "numberAvailable")
    rolls = text(obj, "spec", "updateStrategy", "type") != "OnDelete"
    if not _observed(obj):
        return _UNSEEN
    template = mapping(obj, "metadata", "annotations").get(TEMPLATE_GENERATION)
    pods = [pod for pod in pods if _label(pod, "pod-template-generation") == template]
    if available >= wanted and (updated >= wanted or not rolls):
        return _rolled_out(obj)
    return _blocked(obj, pods, f"available on {available} of {wanted} nodes, {updated} updated")


def job(obj: Object, pods: list[Object]) -> Verdict:
    """Complete; a suspended one is left in peace."""
    if dig(obj, "spec", "suspend") is True or condition(obj, "Complete").get("status") == "True":
        return READY
    failed = condition(obj, "Failed")
    more: tuple[Problem, ...] = ()
    if failed.get("status") == "True":
        story = f"it failed ({text(failed, 'reason')}): {text(failed, 'message')}"
        more = (Problem(_title(obj), text(failed, "reason"), story, 0.0),)
    done = whole(obj, "status", "succeeded")
    wanted = whole(obj, "spec", "completions", default=1)
    return _blocked(obj, pods, f"{done} of {wanted} pods have succeeded", more)
