"""What is kept of a Deployment, a Pod and a route: small, flat, and of one version or model."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from watcher import raw
from watcher.troubles import Trouble, of_pod

PREFIX = "model-deployment.io/"
NAME = "app.kubernetes.io/name"
VERSION = "app.kubernetes.io/version"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MODELS = f"{PART_OF}=model-deployment,{COMPONENT}=model"
ROUTES = f"{PART_OF}=model-deployment,{COMPONENT}=route"


class Key(NamedTuple):
    """Names a version."""

    model: str
    version: str

    @property
    def object_name(self) -> str:
        """The name of all objects of this version."""
        return f"{self.model}-{self.version}"


class Deployment(msgspec.Struct, frozen=True, gc=False):
    """A version as it is declared, and what the Deployment's conditions say of it."""

    key: Key
    name: str
    uid: str
    revision: int
    desired: int
    ready: int
    available: bool
    finished: bool
    """Its last rollout succeeded: it was Available, whatever it is now."""
    overdue: str
    """What the progress deadline says, else empty."""
    blocked: str
    """Why no Pod can be made (quota, admission), else empty."""
    image: str
    told: Mapping[str, str]
    """This project's annotations, without the prefix."""


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A Pod of a version, and what is wrong with it."""

    key: Key
    name: str
    uid: str
    revision: int
    created: str
    terminating: bool
    trouble: Trouble | None


class Route(msgspec.Struct, frozen=True, gc=False):
    """An address of a model that leads to its versions."""

    model: str
    name: str
    route: str
    revision: int
    weights: Mapping[str, int]
    sticky: bool = False
    mirror: Mapping[str, str | int] | None = None
    failover: str | None = None


class _RouteText(msgspec.Struct):
    """Annotation `route`, as the Pulumi program writes it."""

    sticky: bool = False
    mirror: dict[str, str | int] | None = None
    failover: str | None = None


_DEPLOYMENT = msgspec.json.Decoder(raw.Deployment)
_POD = msgspec.json.Decoder(raw.Pod)
_PLAIN = msgspec.json.Decoder(raw.Plain)
_WEIGHTS = msgspec.json.Decoder(dict[str, int])
_ROUTE = msgspec.json.Decoder(_RouteText)


def key_of(meta: raw.Meta) -> Key | None:
    """The version that an object belongs to, by its labels alone."""
    labels = meta.labels or {}
    model, version = labels.get(NAME), labels.get(VERSION)
    return Key(model, version) if model and version else None


def deployment(data: msgspec.Raw | bytes) -> Deployment | None:
    """A version's Deployment, or None for one that is nobody's."""
    found = _DEPLOYMENT.decode(data)
    key = key_of(found.metadata)
    if key is None:
        return None
    conditions = {one.type: one for one in found.status.conditions or []}
    available = conditions.get("Available", _NO_CONDITION)
    progressing = conditions.get("Progressing", _NO_CONDITION)
    replica_failure = conditions.get("ReplicaFailure", _NO_CONDITION)
    overdue = progressing.status == "False" and progressing.reason == "ProgressDeadlineExceeded"
    containers = found.spec.template.spec.containers
    return Deployment(
        key=key,
        name=found.metadata.name,
        uid=found.metadata.uid,
        revision=found.metadata.revision,
        desired=found.spec.replicas,
        ready=found.status.ready_replicas,
        available=available.status == "True",
        finished=progressing.reason == "NewReplicaSetAvailable",
        overdue=progressing.message or "the progress deadline is over" if overdue else "",
        blocked=replica_failure.message if replica_failure.status == "True" else "",
        image=containers[0].image if containers else "",
        told={
            name.removeprefix(PREFIX): text
            for name, text in (found.metadata.annotations or {}).items()
            if name.startswith(PREFIX)
        },
    )


def pod(data: msgspec.Raw | bytes) -> Pod | None:
    """A version's Pod, or None for one that is nobody's."""
    found = _POD.decode(data)
    key = key_of(found.metadata)
    if key is None:
        return None
    return Pod(
        key=key,
        name=found.metadata.name,
        uid=found.metadata.uid,
        revision=found.metadata.revision,
        created=found.metadata.creation_timestamp,
        terminating=found.metadata.deletion_timestamp is not None,
        trouble=of_pod(found.status),
    )


def route(data: msgspec.Raw | bytes) -> Route | None:
    """The object of a route that holds its split; None for the others of the same route."""
    meta = _PLAIN.decode(data).metadata
    told = meta.annotations or {}
    model = (meta.labels or {}).get(NAME)
    if not model or f"{PREFIX}weights" not in told:
        return None
    try:
        weights = _WEIGHTS.decode(told[f"{PREFIX}weights"])
        rest = _ROUTE.decode(told.get(f"{PREFIX}route", "{}"))
    except msgspec.DecodeError:
        return None  # somebody's hand; the next update writes it anew
    return Route(
        model=model,
        name=meta.name,
        route=meta.name.removeprefix(f"{model}-"),
        revision=meta.revision,
        weights=weights,
        sticky=rest.sticky,
        mirror=rest.mirror,
        failover=rest.failover,
    )


_NO_CONDITION = raw.Condition()
