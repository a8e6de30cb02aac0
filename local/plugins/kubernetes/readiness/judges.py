"""Looks at an object and what belongs to it. Blocking: run in a thread."""

from __future__ import annotations

from collections.abc import Callable

from local.plugins.access import dig, mapping, objects, text
from local.plugins.kubernetes.cluster import Cluster
from local.plugins.kubernetes.readiness import others, pods, workloads
from local.plugins.kubernetes.readiness.verdict import READY, Problem, Verdict
from local.plugins.kubernetes.steering import awaited
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import Object

POD = Kind("", "v1", "Pod")
EVENT = Kind("", "v1", "Event")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet")
ENDPOINTS = Kind("discovery.k8s.io", "v1", "EndpointSlice")
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass")

Judge = Callable[[Cluster, Object], Verdict]

DEFAULT_SECONDS = 600.0
"""How long the official plugin waits for most kinds."""
SECONDS = {"Pod": 300.0, "PersistentVolumeClaim": 300.0, "PersistentVolume": 300.0}


def _selector(obj: Object) -> str:
    labels = mapping(obj, "spec", "selector", "matchLabels")
    terms = [f"{key}={value}" for key, value in labels.items()]
    for rule in objects(obj, "spec", "selector", "matchExpressions"):
        values = rule.get("values")
        listed = ",".join(str(value) for value in values) if isinstance(values, list) else ""
        key, operator = text(rule, "key"), text(rule, "operator")
        terms.append(
            {"In": f"{key} in ({listed})", "NotIn": f"{key} notin ({listed})", "Exists": key}.get(
                operator, f"!{key}"
            )
        )
    return ",".join(terms)


def _namespace(obj: Object) -> str:
    return text(obj, "metadata", "namespace")


def _pods_of(cluster: Cluster, obj: Object) -> list[Object]:
    found = cluster.list(POD, _namespace(obj), labels=_selector(obj))
    return workloads.owned_by(obj, found)


def _deployment(cluster: Cluster, obj: Object) -> Verdict:
    first = workloads.deployment(obj, [])
    if first.ready:
        return first
    labels = _selector(obj)
    sets = cluster.list(REPLICA_SET, _namespace(obj), labels=labels)
    newest = workloads.newest_replica_set(obj, sets)
    found = cluster.list(POD, _namespace(obj), labels=labels) if newest else []
    return workloads.deployment(obj, workloads.owned_by(newest, found))


def _with_pods(rule: Callable[[Object, list[Object]], Verdict]) -> Judge:
    def judge(cluster: Cluster, obj: Object) -> Verdict:
        first = rule(obj, [])
        return first if first.ready else rule(obj, _pods_of(cluster, obj))

    return judge


def _service(cluster: Cluster, obj: Object) -> Verdict:
    if others.service(obj, []).ready:
        return READY
    label = f"kubernetes.io/service-name={text(obj, 'metadata', 'name')}"
    return others.service(obj, cluster.list(ENDPOINTS, _namespace(obj), labels=label))


def _claim(cluster: Cluster, obj: Object) -> Verdict:
    name = text(obj, "spec", "storageClassName")
    storage_class = cluster.get(STORAGE_CLASS, "", name) if name else None
    return others.claim(obj, storage_class or {})


def _alone(rule: Callable[[Object], Verdict]) -> Judge:
    return lambda _, obj: rule(obj)


_JUDGES: dict[tuple[str, str], Judge] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _with_pods(workloads.stateful_set),
    ("apps", "DaemonSet"): _with_pods(workloads.daemon_set),
    ("batch", "Job"): _with_pods(workloads.job),
    ("", "Pod"): _alone(pods.judge),
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _alone(others.volume),
    ("", "ResourceQuota"): _alone(others.quota),
    ("networking.k8s.io", "Ingress"): _alone(others.ingress),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _alone(others.definition),
}


def judge_of(kind: Kind, inputs: Object) -> Judge | None:
    """How to tell that the object is ready; None where it is as soon as it exists."""
    wanted = awaited(inputs)
    if not wanted:
        return _JUDGES.get((kind.group, kind.kind))

    def judge(_: Cluster, live: Object) -> Verdict:
        missing = [item.expression for item in wanted if not item.holds(live)]
        return Verdict(not missing, f"waiting for {', '.join(missing)}")

    return judge


def why_not_ready(cluster: Cluster, kind: Kind, live: Object, verdict: Verdict) -> Verdict:
    """The verdict with what only the events of the pods tell: a probe that fails."""
    if kind.kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
        found = cluster.list(POD, _namespace(live), labels=_selector(live))
        troubled = [pod for pod in found if pods.problems(pod) or not pods.is_ready(pod)]
    else:
        troubled = [live] if kind == POD else []
    more: list[Problem] = []
    for pod in troubled:
        uid = dig(pod, "metadata", "uid")
        events = cluster.list(EVENT, _namespace(live), fields=f"involvedObject.uid={uid}")
        more += pods.probe_problems(pod, events)
    return Verdict(verdict.ready, verdict.note, (*verdict.problems, *more), verdict.next_step)
