"""Fields of lists, watch events and Leases of the Kubernetes API that the watcher reads."""

from typing import Literal

import msgspec
from msgspec import field

from cluster_client.api_types import ApiType, ObjectMeta


class MetadataOnly(ApiType):
    """An object of which only the metadata is read: routes, records."""

    metadata: ObjectMeta


class LeaseSpec(ApiType):
    """The holder of a Lease and its times."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    renew_time: str | None = None


class Lease(ApiType):
    """A Lease of `coordination.k8s.io/v1`."""

    metadata: ObjectMeta
    spec: LeaseSpec = field(default_factory=LeaseSpec)


class ListMeta(ApiType):
    """The resourceVersion of a list and the token of its next page."""

    resource_version: str = "0"
    continue_: str = field(default="", name="continue")


class ResourceList(ApiType):
    """One page of a list; the items are decoded later, by resource type."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class WatchEvent(ApiType):
    """A line of a watch. `type` is not an enumeration: newer servers may add types."""

    type: str
    object: msgspec.Raw


def bookmark(revision: int) -> WatchEvent:
    """Build the event by which the API server reports its progress up to a revision."""
    meta = {"metadata": {"resourceVersion": str(revision)}}
    return WatchEvent("BOOKMARK", msgspec.Raw(msgspec.json.encode(meta)))


class Status(ApiType):
    """The body of an error response."""

    code: int = 0
    message: str = ""


ResourceKind = Literal["deployments", "pods"]
"""The resources that determine a version's state."""
