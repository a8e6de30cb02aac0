"""The stored state of each version: its last event and the events not yet confirmed (ADR 20).

A Lease per version, with the name of the version's other objects and without an owner reference: it
outlives the Deployment by 30 days, so that `Deleted` is not lost and the sequence continues when
the version is created again. Two kinds of annotations:

    model-deployment.io/record      the last state, the last sequence number, and the last sequence
                                    number that the broker has confirmed
    model-deployment.io/event-<n>   an event: all that are not confirmed, and the last confirmed one
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from watcher import events, k8s_types
from watcher.events import Event
from watcher.resources import (
    ANNOTATION_PREFIX,
    COMPONENT_LABEL,
    NAME_LABEL,
    PART_OF_LABEL,
    VERSION_LABEL,
    ProcessedRevisions,
    VersionKey,
    version_key,
)
from watcher.transitions import LastReported, State

SELECTOR = f"{PART_OF_LABEL}=model-deployment,{COMPONENT_LABEL}=watcher,{VERSION_LABEL}"
KEPT_SECONDS = 30 * 24 * 3600.0
"""How long the record of a deleted version is kept."""
_RECORD = f"{ANNOTATION_PREFIX}record"
_EVENT = f"{ANNOTATION_PREFIX}event-"


class Record(msgspec.Struct, frozen=True):
    """The annotation `record`."""

    uid: str
    state: State
    sequence: int
    confirmed: int
    """The broker has confirmed all events up to this sequence number."""
    was_available: bool
    since: str
    previous: State | None = None
    image: str = ""
    deployments: int = 0
    pods: int = 0
    """Revisions up to which changes of the version are in this record, by resource."""
    stored_at: int = 0
    """The Lease's resourceVersion when the last event was stored; 0 until it is confirmed."""

    @property
    def last_reported(self) -> LastReported:
        """The state in the last event."""
        return LastReported(self.uid, self.state, self.image)

    @property
    def processed(self) -> ProcessedRevisions:
        """The revisions that this record covers."""
        return ProcessedRevisions(self.deployments, self.pods)

    @property
    def pending_count(self) -> int:
        """The number of unconfirmed events."""
        return self.sequence - self.confirmed

    def is_expired(self, now: float) -> bool:
        """Return whether the version was deleted long ago, at `now` in seconds since the epoch."""
        if self.state is not State.DELETED or self.pending_count:
            return False
        return now - datetime.fromisoformat(self.since).timestamp() >= KEPT_SECONDS


class StoredRecord(msgspec.Struct, frozen=True):
    """A record as stored in the cluster, with its events by sequence number."""

    key: VersionKey
    revision: int
    record: Record
    events: tuple[Event, ...]

    @property
    def pending_events(self) -> list[Event]:
        """The unconfirmed events."""
        return [event for event in self.events if event.sequence > self.record.confirmed]


_LEASE = msgspec.json.Decoder(k8s_types.MetadataOnly)
_DECODER = msgspec.json.Decoder(Record)


def parse_record(data: msgspec.Raw | bytes) -> StoredRecord | None:
    """Parse a record; return None for any other Lease. Raises msgspec.DecodeError."""
    meta = _LEASE.decode(data).metadata
    annotations = meta.annotations or {}
    key = version_key(meta)
    if key is None or _RECORD not in annotations:
        return None
    stored_events = [
        events.parse_event(text.encode())
        for name, text in annotations.items()
        if name.startswith(_EVENT)
    ]
    return StoredRecord(
        key=key,
        revision=meta.revision,
        record=_DECODER.decode(annotations[_RECORD]),
        events=tuple(sorted(stored_events, key=lambda event: event.sequence)),
    )


def to_annotations(record: Record, changes: Mapping[int, Event | None]) -> dict[str, str | None]:
    """Return annotations that store a record and events by sequence number; None removes one."""
    annotations: dict[str, str | None] = {
        f"{_EVENT}{sequence}": None if event is None else event.body.decode()
        for sequence, event in changes.items()
    }
    return {_RECORD: msgspec.json.encode(record).decode(), **annotations}


def build_lease(key: VersionKey, annotations: Mapping[str, str | None]) -> dict[str, object]:
    """Build the Lease of a version. Its spec is empty because it only stores annotations."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": key.object_name,
            "labels": {
                NAME_LABEL: key.model,
                VERSION_LABEL: key.version,
                COMPONENT_LABEL: "watcher",
                PART_OF_LABEL: "model-deployment",
                "app.kubernetes.io/managed-by": "deployment-watcher",
            },
            "annotations": {name: text for name, text in annotations.items() if text is not None},
        },
        "spec": {},
    }
