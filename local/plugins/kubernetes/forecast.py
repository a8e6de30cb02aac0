"""What a preview shows of an object: a dry run, with what only the real run decides left open."""

from __future__ import annotations

from http import HTTPStatus

from local.plugins.access import mapping, objects, text
from local.plugins.kubernetes.cluster import ClusterError
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import UNKNOWN, Object

_DECIDED_LATER = ("creationTimestamp", "generation", "resourceVersion", "uid")


def tolerated(error: ClusterError) -> bool:
    """Errors of a dry run that say nothing about the real run.

    The namespace may be made by the same update, a webhook may refuse dry runs, the cluster may
    not be up yet; and an object that will be deleted first still has its immutable fields.
    """
    immutable = error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "immutable" in error.message
    return (
        error.status in (0, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
        or "dry run" in error.message
        or immutable
    )


def of_dry_run(kind: Kind, result: Object, inputs: Object, *, new: bool) -> Object:
    """The result of a dry run as outputs."""
    shown = {key: value for key, value in result.items() if key != "status"}
    metadata = dict(mapping(result, "metadata"))
    later = _DECIDED_LATER if new else ("generation", "resourceVersion")
    shown["metadata"] = {**metadata, **dict.fromkeys(later, UNKNOWN)}
    if kind.kind == "Service" and kind.group == "" and new:
        shown["spec"] = _service_spec(mapping(result, "spec"), mapping(inputs, "spec"))
    return shown


def _service_spec(result: Object, inputs: Object) -> Object:
    """Addresses and node ports of a dry run are free ones, not those of the real run."""
    spec = dict(result)
    for key in ("clusterIP", "clusterIPs"):
        if key not in inputs and key in spec and text(spec, "clusterIP") != "None":
            spec[key] = UNKNOWN
    asked = {text(port, "name"): port.get("nodePort") for port in objects(inputs, "ports")}
    spec["ports"] = [
        {**port, "nodePort": asked.get(text(port, "name")) or UNKNOWN}
        if "nodePort" in port
        else port
        for port in objects(result, "ports")
    ]
    return spec
