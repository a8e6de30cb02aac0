"""Summarize the effect of an update on traffic, addresses and nodes, per model.

The stack file is compared with the cluster, not with Pulumi's state: reviewers need the effect
on clients.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.cluster_state.state import ClusterState, ResourceRequests
from components.naming import LATEST, version_number

_MEBIBYTE = 2**20


@dataclass(frozen=True)
class DesiredModel:
    """The desired state of a model, as far as it affects clients and nodes."""

    replicas: Mapping[str, int]
    """Replicas by version; with autoscaling the minimum."""
    requests: Mapping[str, ResourceRequests]
    """Resource requests of one Pod, by version."""
    routes: Mapping[str, Mapping[str, int]]
    """Weights by route, including `latest`."""
    failover_versions: Mapping[str, frozenset[str]]
    """Failover versions, which receive requests without a weight, by route."""


def summarize_changes(models: Mapping[str, DesiredModel], state: ClusterState) -> list[str]:
    """Return one line per change; empty if nothing changes."""
    removed_models = sorted({model for model, _ in state.versions} - models.keys())
    empty = DesiredModel({}, {}, {}, {})
    lines: list[str] = []
    for model, desired in [*models.items(), *((name, empty) for name in removed_models)]:
        changes = [*_versions(model, desired, state), *_routes(model, desired, state)]
        if changes:
            lines += [f"{model}:", *(f"  {line}" for line in changes)]
    requests = _requests(models, state)
    return [*lines, requests] if requests else lines


def _of(model: str, items: Iterable[tuple[str, str]]) -> list[str]:
    return [part for name, part in items if name == model]


def _versions(model: str, desired: DesiredModel, state: ClusterState) -> Iterator[str]:
    current = _of(model, state.versions)
    for version in desired.replicas:
        if version not in current:
            yield f"+ /models/{model}/versions/{version}  {desired.replicas[version]} replica(s)"
    for version in sorted(current, key=version_number):
        if version not in desired.replicas:
            yield f"- /models/{model}/versions/{version}"


def _routes(model: str, desired: DesiredModel, state: ClusterState) -> Iterator[str]:
    current = _of(model, state.routes)
    for route, weights in desired.routes.items():
        before = state.routes.get((model, route))
        if before is None:
            split = ", ".join(f"{version} {share} %" for version, share in weights.items() if share)
            yield f"+ /models/{model}/{route}  {split}"
        elif moved := list(_moved(before, weights)):
            yield f"~ /models/{model}/{route}  {', '.join(moved)}"
    for route in current:
        if route not in desired.routes:
            yield f"- /models/{model}/{route}"


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    """Return each version's changed share, before and after."""
    for version in sorted({*before, *after}, key=version_number):
        was, becomes = before.get(version, 0), after.get(version, 0)
        if was != becomes:
            yield f"{version} {was} % -> {becomes} % ({becomes - was:+d})"


def _requests(models: Mapping[str, DesiredModel], state: ClusterState) -> str:
    """Return the additional resource requests; empty if they do not increase."""
    requested = ResourceRequests()
    for model, desired in models.items():
        for version, replicas in desired.replicas.items():
            requested += desired.requests[version].times(replicas)
            current = state.versions.get((model, version))
            if current:
                requested -= current.requests.times(max(current.replicas, 0))
    for (model, version), current in state.versions.items():
        if model not in models or version not in models[model].replicas:
            requested -= current.requests.times(current.replicas)
    parts = [
        f"CPU {requested.cpu:+d}m" if requested.cpu else "",
        f"memory {round(requested.memory / _MEBIBYTE):+d}Mi" if requested.memory else "",
        f"GPU {requested.gpu:+d}" if requested.gpu else "",
    ]
    amounts = ", ".join(filter(None, parts))
    return f"additional resource requests: {amounts}" if amounts else ""


def single_replica_warnings(models: Mapping[str, DesiredModel]) -> Iterator[str]:
    """Yield a warning for each version that receives traffic with a single replica."""
    for model, desired in models.items():
        for version, replicas in desired.replicas.items():
            routes = [
                route
                for route, weights in desired.routes.items()
                if route != LATEST
                and (
                    weights.get(version, 0) > 0
                    or version in desired.failover_versions.get(route, ())
                )
            ]
            if replicas == 1 and routes:
                named = ", ".join(routes)
                yield (
                    f"{model} {version} receives traffic ({named}) with one replica: "
                    "it is unavailable while its Pod restarts; set replicas: 2"
                )
