"""Events in the CloudEvents 1.0 JSON format, as the broker and HTTP clients get them. Pure."""

import msgspec

from watcher.resources import VersionKey
from watcher.transitions import State, VersionStatus

EVENT_TYPE_PREFIX = "io.model-deployment.version"
CONTENT_TYPE = "application/cloudevents+json"


class Replicas(msgspec.Struct, frozen=True):
    """The desired and the ready replicas of the Deployment."""

    desired: int
    ready: int


class Data(msgspec.Struct, frozen=True):
    """A transition. `previous` is the state of the preceding event, None for the first one."""

    model: str
    version: str
    state: State
    previous: State | None
    reason: str
    message: str
    replicas: Replicas
    image: str
    sequence: int


class CloudEvent(msgspec.Struct, frozen=True):
    """The CloudEvents envelope (docs/events.md)."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: Data


class Event(msgspec.Struct, frozen=True):
    """An encoded event. It is encoded once, so that a repeated delivery has identical bytes."""

    id: str
    sequence: int
    routing_key: str
    body: bytes


def build_event(
    namespace: str,
    key: VersionKey,
    status: VersionStatus,
    previous: State | None,
    sequence: int,
    time: str,
) -> Event:
    """Build the event of a version's transition to `status`."""
    envelope = CloudEvent(
        specversion="1.0",
        id=f"{status.uid}-{sequence}",
        source=f"/model-deployment/{namespace}",
        type=f"{EVENT_TYPE_PREFIX}.{status.state.lower()}",
        subject=f"{key.model}/{key.version}",
        time=time,
        datacontenttype="application/json",
        data=Data(
            model=key.model,
            version=key.version,
            state=status.state,
            previous=previous,
            reason=status.reason,
            message=status.message,
            replicas=Replicas(status.desired, status.ready),
            image=status.image,
            sequence=sequence,
        ),
    )
    return _event(envelope, msgspec.json.encode(envelope))


_CLOUD_EVENT = msgspec.json.Decoder(CloudEvent)


def parse_event(body: bytes) -> Event:
    """Parse a stored event. Raises msgspec.DecodeError."""
    return _event(_CLOUD_EVENT.decode(body), body)


def _event(envelope: CloudEvent, body: bytes) -> Event:
    data = envelope.data
    return Event(
        id=envelope.id,
        sequence=data.sequence,
        routing_key=f"{data.model}.{data.version}.{data.state.lower()}",
        body=body,
    )
