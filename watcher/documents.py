"""The status as JSON documents. Pure: built from inventory, records and routes."""

from collections.abc import Mapping

import msgspec

from watcher.inventory import Inventory
from watcher.records import Record
from watcher.resources import Route, VersionKey
from watcher.transitions import State

_SHOWN_ANNOTATIONS = (
    "content-hash",
    "image-digest",
    "language",
    "handler",
    "git-commit",
    "git-ref",
    "published-at",
)


class Replicas(msgspec.Struct, frozen=True):
    """The desired and the ready Pods."""

    desired: int
    ready: int


class VersionDocument(msgspec.Struct, frozen=True, omit_defaults=False):
    """A version's status. `since`, `previous`, `sequence` are those of its last event."""

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


class RouteDocument(msgspec.Struct, frozen=True):
    """A route of a model, and the weight of each version in percent."""

    route: str
    path: str
    weights: Mapping[str, int]
    sticky: bool
    mirror: Mapping[str, str | int] | None
    failover: str | None


class ModelDocument(msgspec.Struct, frozen=True):
    """A model with its versions and routes."""

    model: str
    versions: list[VersionDocument]
    routes: list[RouteDocument]


def version_number(version: str) -> int:
    """Return the number of a name like `v12`; 0 for any other name."""
    digits = version.removeprefix("v")
    return int(digits) if digits.isdecimal() else 0


def version_document(
    key: VersionKey, inventory: Inventory, record: Record | None, now: float
) -> VersionDocument | None:
    """Build the document of a version, or None if it does not exist."""
    deployment = inventory.deployment(key)
    status = inventory.status(key, now)
    if deployment is None or status is None:
        return None
    if record is not None and record.uid != status.uid:
        record = None  # of an earlier Deployment with the same name
    return VersionDocument(
        model=key.model,
        version=key.version,
        model_version_number=version_number(key.version),
        state=status.state,
        previous=None if record is None else record.previous,
        reason=status.reason,
        message=status.message,
        since=None if record is None else record.since,
        sequence=0 if record is None else record.sequence,
        replicas=Replicas(status.desired, status.ready),
        image=status.image,
        annotations={
            name: deployment.annotations[name]
            for name in _SHOWN_ANNOTATIONS
            if name in deployment.annotations
        },
    )


def model_document(
    name: str, versions: list[VersionDocument], routes: list[Route]
) -> ModelDocument:
    """Build the document of a model: highest version first, routes by name."""
    return ModelDocument(
        model=name,
        versions=sorted(versions, key=lambda item: item.model_version_number, reverse=True),
        routes=[
            RouteDocument(
                route=route.route,
                path=f"/models/{name}/{route.route}/",
                weights=route.weights,
                sticky=route.sticky,
                mirror=route.mirror,
                failover=route.failover,
            )
            for route in sorted(routes, key=lambda item: item.route)
        ],
    )
