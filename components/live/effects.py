"""What a change will do to traffic, addresses and nodes, told per model before it is done.

It compares the stack file with the cluster, not with Pulumi's state: a reviewer wants to know what
clients will see.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.live.state import Demand, Live
from components.naming import LATEST, version_number

_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Wanted:
    """A model as the stack file has it, as far as clients and nodes notice."""

    replicas: Mapping[str, int]
    """By version; with autoscaling the least."""
    demand: Mapping[str, Demand]
    """By version, of one Pod."""
    routes: Mapping[str, Mapping[str, int]]
    """With `latest`."""
    also_answering: Mapping[str, frozenset[str]]
    """By route: versions that get requests without a weight (mirror, failover)."""


def describe(models: Mapping[str, Wanted], live: Live) -> list[str]:
    """A line for everything that changes; empty where nothing does."""
    gone = sorted({model for model, _ in live.versions} - models.keys())
    empty = Wanted({}, {}, {}, {})
    lines: list[str] = []
    for model, wanted in [*models.items(), *((name, empty) for name in gone)]:
        changes = [*_versions(model, wanted, live), *_routes(model, wanted, live)]
        if changes:
            lines += [f"{model}:", *(f"  {line}" for line in changes)]
    demand = _demand(models, live)
    return [*lines, demand] if demand else lines


def _of(model: str, items: Iterable[tuple[str, str]]) -> list[str]:
    return [part for name, part in items if name == model]


def _versions(model: str, wanted: Wanted, live: Live) -> Iterator[str]:
    standing = _of(model, live.versions)
    for version in wanted.replicas:
        if version not in standing:
            yield f"+ /models/{model}/versions/{version}  {wanted.replicas[version]} replica(s)"
    for version in sorted(standing, key=version_number):
        if version not in wanted.replicas:
            yield f"- /models/{model}/versions/{version}"


def _routes(model: str, wanted: Wanted, live: Live) -> Iterator[str]:
    standing = _of(model, live.routes)
    for route, weights in wanted.routes.items():
        before = live.routes.get((model, route))
        if before is None:
            split = ", ".join(f"{version} {share} %" for version, share in weights.items() if share)
            yield f"+ /models/{model}/{route}  {split}"
        elif moved := list(_moved(before, weights)):
            yield f"~ /models/{model}/{route}  {', '.join(moved)}"
    for route in standing:
        if route not in wanted.routes:
            yield f"- /models/{model}/{route}"


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    """Each version's share before and after, where it differs."""
    for version in sorted({*before, *after}, key=version_number):
        was, becomes = before.get(version, 0), after.get(version, 0)
        if was != becomes:
            yield f"{version} {was} % -> {becomes} % ({becomes - was:+d})"


def _demand(models: Mapping[str, Wanted], live: Live) -> str:
    """What the nodes must find in addition; nothing where it gets less or stays."""
    asked = Demand()
    for model, wanted in models.items():
        for version, replicas in wanted.replicas.items():
            asked += wanted.demand[version].times(replicas)
            standing = live.versions.get((model, version))
            if standing:
                asked -= standing.demand.times(max(standing.replicas, 0))
    for (model, version), standing in live.versions.items():
        if model not in models or version not in models[model].replicas:
            asked -= standing.demand.times(standing.replicas)
    parts = [
        f"CPU {asked.cpu:+d}m" if asked.cpu else "",
        f"memory {round(asked.memory / _MEBIBYTE):+d}Mi" if asked.memory else "",
        f"GPU {asked.gpu:+d}" if asked.gpu else "",
    ]
    told = ", ".join(filter(None, parts))
    return f"asked of the nodes: {told}" if told else ""


def warnings(models: Mapping[str, Wanted]) -> Iterator[str]:
    """Each version whose traffic hangs on one Pod, whether that is new or not."""
    for model, wanted in models.items():
        for version, replicas in wanted.replicas.items():
            routes = [
                route
                for route, weights in wanted.routes.items()
                if route != LATEST
                and (weights.get(version, 0) > 0 or version in wanted.also_answering.get(route, ()))
            ]
            if replicas == 1 and routes:
                named = ", ".join(routes)
                yield (
                    f"{model} {version} gets traffic ({named}) with one replica: "
                    "it stops answering whenever that Pod goes; write replicas: 2"
                )
