"""The status as JSON. Pure: inventory, records and routes in, documents out."""

from collections.abc import Mapping

import msgspec

from watcher.inventory import Inventory
from watcher.objects import Key, Route
from watcher.records import Record
from watcher.transitions import State

_TOLD = (
    "content-hash",
    "image-digest",
    "language",
    "handler",
    "git-commit",
    "git-ref",
    "published-at",
)


class Replicas(msgspec.Struct, frozen=True):
    """Pods that are wanted, and that answer."""

    desired: int
    ready: int


class Version(msgspec.Struct, frozen=True, omit_defaults=False):
    """A version as it stands. `since`, `previous`, `sequence` are those of its last event."""

    model: str
    version: str
    model_version_number: int
    state: State
    previous: State | None
    reason: str
    message: str
    since: str | None
    sequence: int
    replicas: Replicas
    image: str
    annotations: dict[str, str]


class RouteStatus(msgspec.Struct, frozen=True):
    """An address of a model, and the share of each version in percent."""

    route: str
    path: str
    weights: Mapping[str, int]
    sticky: bool
    mirror: Mapping[str, str | int] | None
    failover: str | None


class Model(msgspec.Struct, frozen=True):
    """A model with all that stands of it."""

    model: str
    versions: list[Version]
    routes: list[RouteStatus]


def number(version: str) -> int:
    """The integer of `v12`; 0 for what a hand has named otherwise."""
    digits = version.removeprefix("v")
    return int(digits) if digits.isdecimal() else 0


def version(key: Key, inventory: Inventory, record: Record | None, now: float) -> Version | None:
    """One version, or None."""
    deployment = inventory.deployment(key)
    standing = inventory.standing(key, now)
    if deployment is None or standing is None:
        return None
    told = record is not None and record.uid == standing.uid
    return Version(
        model=key.model,
        version=key.version,
        model_version_number=number(key.version),
        state=standing.state,
        previous=record.previous if record is not None and told else None,
        reason=standing.reason,
        message=standing.message,
        since=record.since if record is not None and told else None,
        sequence=record.sequence if record is not None and told else 0,
        replicas=Replicas(standing.desired, standing.ready),
        image=standing.image,
        annotations={name: deployment.told[name] for name in _TOLD if name in deployment.told},
    )


def model(name: str, versions: list[Version], routes: list[Route]) -> Model:
    """A model: highest version first, its routes by name."""
    return Model(
        model=name,
        versions=sorted(versions, key=lambda one: one.model_version_number, reverse=True),
        routes=[
            RouteStatus(
                route=one.route,
                path=f"/models/{name}/{one.route}/",
                weights=one.weights,
                sticky=one.sticky,
                mirror=one.mirror,
                failover=one.failover,
            )
            for one in sorted(routes, key=lambda one: one.route)
        ],
    )
