"""What is stored in the cluster of each version: how far its events have got (ADR 20).

A Lease per version, named as the version's other objects, owned by nobody: it outlives the
Deployment, so that `Deleted` is not lost and the sequence goes on when the name comes back. Two
kinds of annotations:

    model-deployment.io/record      where the version stood last, the last sequence, and up to which
                                    sequence the broker has confirmed
    model-deployment.io/event-<n>   an event: every one not confirmed yet, and the last confirmed
"""

from collections.abc import Mapping

import msgspec

from watcher import events, raw
from watcher.events import Event
from watcher.following import Seen
from watcher.objects import COMPONENT, NAME, PART_OF, PREFIX, VERSION, Key, key_of
from watcher.transitions import Known, State

SELECTOR = f"{PART_OF}=model-deployment,{COMPONENT}=watcher,{VERSION}"
_RECORD = f"{PREFIX}record"
_EVENT = f"{PREFIX}event-"


class Record(msgspec.Struct, frozen=True):
    """The annotation `record`."""

    uid: str
    state: State
    sequence: int
    confirmed: int
    """All events up to this sequence have reached the broker."""
    was_available: bool
    since: str
    previous: State | None = None
    image: str = ""
    deployments: int = 0
    pods: int = 0
    """Revisions up to which changes of the version are in this record, by kind."""
    stored_at: int = 0
    """The Lease's resourceVersion when the last event was stored; 0 until it is confirmed."""

    @property
    def known(self) -> Known:
        """What whoever reads the events knows."""
        return Known(self.uid, self.state, self.image)

    @property
    def seen(self) -> Seen:
        """What of the version is in this record."""
        return Seen(self.deployments, self.pods)

    @property
    def pending(self) -> int:
        """Number of events that the broker has not confirmed."""
        return self.sequence - self.confirmed


class Stored(msgspec.Struct, frozen=True):
    """A record as it lies in the cluster, with its events in their order."""

    key: Key
    revision: int
    record: Record
    events: tuple[Event, ...]

    @property
    def pending(self) -> list[Event]:
        """What the broker has not confirmed."""
        return [event for event in self.events if event.sequence > self.record.confirmed]


_LEASE = msgspec.json.Decoder(raw.Plain)
_DECODER = msgspec.json.Decoder(Record)


def parse(data: msgspec.Raw | bytes) -> Stored | None:
    """A stored record; None for a Lease that is none. Raises msgspec.DecodeError."""
    meta = _LEASE.decode(data).metadata
    told = meta.annotations or {}
    key = key_of(meta)
    if key is None or _RECORD not in told:
        return None
    found = [events.parsed(text.encode()) for name, text in told.items() if name.startswith(_EVENT)]
    return Stored(
        key=key,
        revision=meta.revision,
        record=_DECODER.decode(told[_RECORD]),
        events=tuple(sorted(found, key=lambda event: event.sequence)),
    )


def annotations(record: Record, changes: Mapping[int, Event | None]) -> dict[str, str | None]:
    """The annotations that store a record and events by sequence; None removes one."""
    told: dict[str, str | None] = {
        f"{_EVENT}{sequence}": None if event is None else event.body.decode()
        for sequence, event in changes.items()
    }
    return {_RECORD: msgspec.json.encode(record).decode(), **told}


def lease(key: Key, told: Mapping[str, str | None]) -> dict[str, object]:
    """A new Lease that holds them; its spec is empty, since nobody leases it."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": key.object_name,
            "labels": {
                NAME: key.model,
                VERSION: key.version,
                COMPONENT: "watcher",
                PART_OF: "model-deployment",
                "app.kubernetes.io/managed-by": "deployment-watcher",
            },
            "annotations": {name: text for name, text in told.items() if text is not None},
        },
        "spec": {},
    }
