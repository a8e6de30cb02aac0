"""The parts of the API server's JSON that are read; msgspec skips the rest without building it.

A 10 KB Pod leaves a few hundred bytes behind: that is what keeps 10,000 of them small.
"""

from typing import Literal

import msgspec
from msgspec import field


class Raw(msgspec.Struct, rename="camel", gc=False):
    """Base: camelCase in JSON; unknown fields are skipped."""


class Meta(Raw):
    """What every object has."""

    name: str = ""
    uid: str = ""
    resource_version: str = "0"
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None

    @property
    def revision(self) -> int:
        """The resourceVersion as a number: comparable within one cluster (ADR 20)."""
        return int(self.resource_version)


class Condition(Raw):
    """One line of what a controller says of an object."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class Container(Raw):
    """What a Pod shall run."""

    image: str = ""


class PodSpec(Raw):
    """The Pods that shall be."""

    containers: list[Container] = field(default_factory=list)


class Template(Raw):
    """What Pods are made from."""

    spec: PodSpec = field(default_factory=PodSpec)


class DeploymentSpec(Raw):
    """What is wanted."""

    replicas: int = 1
    template: Template = field(default_factory=Template)


class DeploymentStatus(Raw):
    """What is."""

    ready_replicas: int = 0
    conditions: list[Condition] | None = None


class Deployment(Raw):
    """As `apps/v1` has it."""

    metadata: Meta
    spec: DeploymentSpec = field(default_factory=DeploymentSpec)
    status: DeploymentStatus = field(default_factory=DeploymentStatus)


class Waiting(Raw):
    """Why a container does not run yet, or not any more."""

    reason: str = ""
    message: str = ""


class Terminated(Raw):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Raw):
    """One of its states; of running ones nothing is needed."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Raw):
    """How a container of a Pod is."""

    name: str = ""
    image: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodStatus(Raw):
    """How a Pod is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class Pod(Raw):
    """As `v1` has it."""

    metadata: Meta
    status: PodStatus = field(default_factory=PodStatus)


class Plain(Raw):
    """An object of which the metadata is all that counts: routes, records."""

    metadata: Meta


class LeaseSpec(Raw):
    """Who holds a Lease, and since when."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    renew_time: str | None = None


class Lease(Raw):
    """As `coordination.k8s.io/v1` has it."""

    metadata: Meta
    spec: LeaseSpec = field(default_factory=LeaseSpec)


class ListMeta(Raw):
    """When a list was true, and where its next page is."""

    resource_version: str = "0"
    continue_: str = field(default="", name="continue")


class Page(Raw):
    """One page of a list; the items stay bytes until somebody knows their kind."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class WatchEvent(Raw):
    """A line of a watch. `type` is any text: newer servers may know more."""

    type: str
    object: msgspec.Raw


def bookmark(revision: int) -> WatchEvent:
    """What the API server sends to say that there is nothing new up to a revision."""
    meta = {"metadata": {"resourceVersion": str(revision)}}
    return WatchEvent("BOOKMARK", msgspec.Raw(msgspec.json.encode(meta)))


class Status(Raw):
    """What the API server says in place of an object."""

    code: int = 0
    message: str = ""


Kind = Literal["deployments", "pods"]
"""What a version's state is made of; both are followed by one history."""
