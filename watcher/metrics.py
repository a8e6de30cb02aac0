"""Prometheus metrics of the watcher (listed in docs/events.md)."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("watcher_events_published_total", "Events confirmed by the broker")
COLLAPSED = Counter(
    "watcher_transitions_collapsed_total",
    "Transitions dropped because too many events of their version were waiting for the broker",
)
DELAY = Histogram(
    "watcher_event_delay_seconds",
    "Time from receiving a change from the API server to the broker's confirmation of its event",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.3, 1, 5, 30, 300),
)
REFUSED = Counter(
    "watcher_transitions_refused_total",
    "Transitions dropped because the API server refuses to store them",
)
PENDING_VERSIONS = Gauge(
    "watcher_versions_pending", "Versions with stored events that are not confirmed"
)
UNSAVED = Gauge("watcher_transitions_waiting", "Transitions not yet stored in the cluster")
BROKER_UP = Gauge("watcher_broker_up", "1 if the broker confirmed the last event")
LEADER = Gauge("watcher_leader", "1 if this replica is the leader and publishes events")
STALE = Gauge(
    "watcher_status_stale", "1 if the connection to the API server is lost and data may be stale"
)
VERSIONS = Gauge("watcher_versions", "Model versions by state", ["state"])
STREAMS = Gauge("watcher_event_streams", "Clients connected to /status/events")
