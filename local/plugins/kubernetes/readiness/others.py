"""When objects without pods are ready. Pure."""

from __future__ import annotations

from local.plugins.access import condition, dig, mapping, objects, text
from local.plugins.kubernetes.readiness.verdict import READY, Problem, Verdict
from local.plugins.values import Object


def service(obj: Object, slices: list[Object]) -> Verdict:
    """It has an endpoint that is ready, and its address where it is a load balancer."""
    kind = text(obj, "spec", "type") or "ClusterIP"
    if kind == "LoadBalancer" and not objects(obj, "status", "loadBalancer", "ingress"):
        return Verdict(False, "waiting for the load balancer's address")
    headless = text(obj, "spec", "clusterIP") == "None"
    if kind == "ExternalName" or headless or not mapping(obj, "spec", "selector"):
        return READY
    ready = any(
        dig(endpoint, "conditions", "ready") is not False
        for piece in slices
        for endpoint in objects(piece, "endpoints")
    )
    namespace = text(obj, "metadata", "namespace")
    selector = ",".join(f"{key}={value}" for key, value in mapping(obj, "spec", "selector").items())
    return Verdict(
        ready,
        "no pod that it selects is ready",
        (),
        f"kubectl -n {namespace} get pods -l {selector}",
    )


def ingress(obj: Object) -> Verdict:
    """The ingress controller has published its address (as the official plugin wants it)."""
    ready = bool(objects(obj, "status", "loadBalancer", "ingress"))
    return Verdict(
        ready,
        "no ingress controller has published an address in its status; where none does, "
        'annotate it with pulumi.com/skipAwait: "true"',
    )


def definition(obj: Object) -> Verdict:
    """A CustomResourceDefinition whose kind is served."""
    accepted = condition(obj, "NamesAccepted")
    if accepted.get("status") == "False":
        title = f"CustomResourceDefinition {text(obj, 'metadata', 'name')}"
        problem = Problem(title, text(accepted, "reason"), text(accepted, "message"), 5.0)
        return Verdict(False, "its names are not accepted", (problem,))
    return Verdict(condition(obj, "Established").get("status") == "True", "not established yet")


def claim(obj: Object, storage_class: Object) -> Verdict:
    """A PersistentVolumeClaim that is bound, or will be when its first pod comes."""
    if text(storage_class, "volumeBindingMode") == "WaitForFirstConsumer":
        return READY
    phase = text(obj, "status", "phase") or "Pending"
    namespace, name = text(obj, "metadata", "namespace"), text(obj, "metadata", "name")
    return Verdict(
        phase == "Bound", f"it is {phase}", (), f"kubectl -n {namespace} describe pvc {name}"
    )


def volume(obj: Object) -> Verdict:
    """A PersistentVolume that can be claimed or is."""
    phase = text(obj, "status", "phase") or "Pending"
    return Verdict(phase in ("Available", "Bound"), f"it is {phase}")


def quota(obj: Object) -> Verdict:
    """A ResourceQuota that the quota controller has taken up."""
    return Verdict(
        set(mapping(obj, "status", "hard")) >= set(mapping(obj, "spec", "hard")),
        "the quota controller has not taken it up",
    )
