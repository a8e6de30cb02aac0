"""The parts of a Deployment, a Pod and a route that the watcher keeps in memory."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from cluster_client import api_types
from cluster_client.pod_diagnosis import PodProblem, diagnose_pod, diagnose_replicas, ended_at
from watcher import k8s_types

ANNOTATION_PREFIX = "model-deployment.io/"
NAME_LABEL = "app.kubernetes.io/name"
VERSION_LABEL = "app.kubernetes.io/version"
COMPONENT_LABEL = "app.kubernetes.io/component"
PART_OF_LABEL = "app.kubernetes.io/part-of"
MODEL_SELECTOR = f"{PART_OF_LABEL}=model-deployment,{COMPONENT_LABEL}=model"
_MODEL = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_VERSION = re.compile(r"v[1-9][0-9]{0,14}")
ROUTE_SELECTOR = f"{PART_OF_LABEL}=model-deployment,{COMPONENT_LABEL}=route"


class VersionKey(NamedTuple):
    """Identify a version of a model."""

    model: str
    version: str

    @property
    def object_name(self) -> str:
        """The name of all Kubernetes objects of this version."""
        return f"{self.model}-{self.version}"


class ProcessedRevisions(NamedTuple):
    """The revisions up to which the changes of a version are processed, by resource."""

    deployments: int = 0
    pods: int = 0


class Deployment(msgspec.Struct, frozen=True, gc=False):
    """A version's Deployment: its desired state and its conditions."""

    key: VersionKey
    name: str
    uid: str
    revision: int
    desired: int
    ready: int
    available: bool
    """The condition Available, with a ready Pod."""
    hindrance: str
    """Why nothing serves although the condition holds: no replicas, none ready; else empty."""
    rolled_out: bool
    """The last rollout succeeded, so the Deployment was Available at least once."""
    deadline_message: str
    """The message of the exceeded progress deadline, else empty."""
    replica_failure: str
    """The reason why Pods cannot be created (quota, admission), else empty."""
    image: str
    annotations: Mapping[str, str]
    """The annotations of this project, without the prefix."""


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A Pod of a version and its most serious problem."""

    key: VersionKey
    name: str
    uid: str
    revision: int
    created: str
    terminating: bool
    ready: bool
    problem: PodProblem | None
    ended_at: float | None
    """When kubelet ended the whole Pod, for example evicted it: seconds since the epoch."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """A route of a model to its versions; `name` is that of the Kubernetes object."""

    model: str
    name: str
    route: str
    revision: int
    weights: Mapping[str, int]
    sticky: bool = False
    mirror: Mapping[str, str | int] | None = None
    failover: str | None = None


class _RouteAnnotation(msgspec.Struct):
    """The annotation `route`, as the Pulumi program writes it."""

    sticky: bool = False
    mirror: dict[str, str | int] | None = None
    failover: str | None = None


_DEPLOYMENT = msgspec.json.Decoder(api_types.Deployment)
_POD = msgspec.json.Decoder(api_types.Pod)
_METADATA = msgspec.json.Decoder(k8s_types.MetadataOnly)
_WEIGHTS = msgspec.json.Decoder(dict[str, int])
_ROUTE = msgspec.json.Decoder(_RouteAnnotation)


def version_key(meta: api_types.ObjectMeta) -> VersionKey | None:
    """Return the version that an object's labels name, or None."""
    labels = meta.labels or {}
    model, version = labels.get(NAME_LABEL), labels.get(VERSION_LABEL)
    if not (model and version and _MODEL.fullmatch(model) and _VERSION.fullmatch(version)):
        return None  # no version of this project; its record could not be named after it
    return VersionKey(model, version)


def parse_deployment(data: msgspec.Raw | bytes) -> Deployment | None:
    """Parse a version's Deployment; return None for one without a version's labels."""
    source = _DEPLOYMENT.decode(data)
    key = version_key(source.metadata)
    if key is None:
        return None
    available = source.condition("Available").status == "True"
    hindrance = diagnose_replicas(source) if available or not source.spec.replicas else ""
    progressing = source.condition("Progressing")
    replica_failure = source.condition("ReplicaFailure")
    exceeded = progressing.status == "False" and progressing.reason == "ProgressDeadlineExceeded"
    containers = source.spec.template.spec.containers
    return Deployment(
        key=key,
        name=source.metadata.name,
        uid=source.metadata.uid,
        revision=source.metadata.revision,
        desired=source.spec.replicas,
        ready=source.status.ready_replicas,
        available=available and not hindrance,
        hindrance=hindrance,
        rolled_out=progressing.reason == "NewReplicaSetAvailable",
        deadline_message=progressing.message or "the progress deadline is over" if exceeded else "",
        replica_failure=replica_failure.message if replica_failure.status == "True" else "",
        image=containers[0].image if containers else "",
        annotations={
            name.removeprefix(ANNOTATION_PREFIX): text
            for name, text in (source.metadata.annotations or {}).items()
            if name.startswith(ANNOTATION_PREFIX)
        },
    )


def parse_pod(data: msgspec.Raw | bytes) -> Pod | None:
    """Parse a version's Pod; return None for one without a version's labels."""
    source = _POD.decode(data)
    key = version_key(source.metadata)
    if key is None:
        return None
    return Pod(
        key=key,
        name=source.metadata.name,
        uid=source.metadata.uid,
        revision=source.metadata.revision,
        created=source.metadata.creation_timestamp,
        terminating=source.metadata.deletion_timestamp is not None,
        ready=source.status.is_ready,
        problem=diagnose_pod(source.status),
        ended_at=ended_at(source),
    )


def parse_route(data: msgspec.Raw | bytes) -> Route | None:
    """Parse the object of a route that has the weights; return None for other objects."""
    meta = _METADATA.decode(data).metadata
    annotations = meta.annotations or {}
    model = (meta.labels or {}).get(NAME_LABEL)
    if not model or f"{ANNOTATION_PREFIX}weights" not in annotations:
        return None
    try:
        weights = _WEIGHTS.decode(annotations[f"{ANNOTATION_PREFIX}weights"])
        details = _ROUTE.decode(annotations.get(f"{ANNOTATION_PREFIX}route", "{}"))
    except msgspec.DecodeError:
        return None  # edited manually; the next update restores the annotations
    return Route(
        model=model,
        name=meta.name,
        route=meta.name.removeprefix(f"{model}-"),
        revision=meta.revision,
        weights=weights,
        sticky=details.sticky,
        mirror=details.mirror,
        failover=details.failover,
    )
