"""An event as the broker, the cluster and people get it: CloudEvents 1.0, in JSON. Pure."""

import msgspec

from watcher.objects import Key
from watcher.transitions import Standing, State

TYPE = "io.model-deployment.version"
CONTENT_TYPE = "application/cloudevents+json"


class Replicas(msgspec.Struct, frozen=True):
    """Of the Deployment: what is wanted, what answers."""

    desired: int
    ready: int


class Data(msgspec.Struct, frozen=True):
    """What became of a version. `previous` is the state of the event before, None for the first."""

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
    """The envelope (contract, section 5)."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: Data


class Event(msgspec.Struct, frozen=True):
    """One event, encoded once: a repetition is the same to the byte."""

    id: str
    sequence: int
    routing_key: str
    body: bytes


def event(
    namespace: str, key: Key, standing: Standing, previous: State | None, sequence: int, time: str
) -> Event:
    """The event of a version that has come to stand so."""
    state = standing.state.lower()
    envelope = CloudEvent(
        specversion="1.0",
        id=f"{standing.uid}-{sequence}",
        source=f"/model-deployment/{namespace}",
        type=f"{TYPE}.{state}",
        subject=f"{key.model}/{key.version}",
        time=time,
        datacontenttype="application/json",
        data=Data(
            model=key.model,
            version=key.version,
            state=standing.state,
            previous=previous,
            reason=standing.reason,
            message=standing.message,
            replicas=Replicas(standing.desired, standing.ready),
            image=standing.image,
            sequence=sequence,
        ),
    )
    return _encoded(envelope, msgspec.json.encode(envelope))


_EVENT = msgspec.json.Decoder(CloudEvent)


def parsed(body: bytes) -> Event:
    """An event as it was stored. Raises msgspec.DecodeError."""
    return _encoded(_EVENT.decode(body), body)


def _encoded(envelope: CloudEvent, body: bytes) -> Event:
    data = envelope.data
    return Event(
        id=envelope.id,
        sequence=data.sequence,
        routing_key=f"{data.model}.{data.version}.{data.state.lower()}",
        body=body,
    )
