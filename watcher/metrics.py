"""What Prometheus is told (docs/events.md lists it)."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("watcher_events_published_total", "Events that the broker has confirmed")
COLLAPSED = Counter(
    "watcher_transitions_collapsed_total",
    "Transitions left out since too many events of their version waited for the broker",
)
DELAY = Histogram(
    "watcher_event_delay_seconds",
    "From a change's arrival from the API server to the broker's confirm of its event",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.3, 1, 5, 30, 300),
)
PARKED = Gauge(
    "watcher_versions_pending", "Versions with stored events that the broker has not got"
)
WAITING = Gauge("watcher_transitions_waiting", "Transitions that are not stored yet")
BROKER_UP = Gauge("watcher_broker_up", "Whether the last event was confirmed")
LEADER = Gauge("watcher_leader", "Whether this replica publishes")
STALE = Gauge("watcher_status_stale", "Whether the status may be old: the API server is not heard")
VERSIONS = Gauge("watcher_versions", "Versions by state", ["state"])
STREAMS = Gauge("watcher_event_streams", "Clients that follow /status/events")
