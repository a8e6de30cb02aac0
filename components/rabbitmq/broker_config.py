"""Configuration files of RabbitMQ: settings, definitions, and start and stop scripts.

They hold for RabbitMQ 3.10 and 4: the local stack runs Debian's 4.0, production the official image.

- **Peers by their names**, which a StatefulSet fixes: no access to the API server is needed,
  which peer discovery by Kubernetes requires before 4.1.
- **One cluster, never two.** RabbitMQ 4 forms a cluster once two nodes reach each other, and all
  join the oldest. A new node starts after the first one runs, which makes that the oldest. The
  first node must not wait for its own complete start, because that wait never ends.
- **Users at each start, queues once all nodes have joined**: a quorum queue gets its members from
  the nodes that exist when it is declared, and 3.10 adds none later.
- **Limits are policies, not arguments of queues**: policies may change for an existing queue.
"""

import json

from components.config import MessageBrokerSpec
from components.config.quantities import memory_bytes

NAME = "message-broker"
HEADLESS_SERVICE = f"{NAME}-nodes"
"""The headless Service that names each node; clients do not use it."""

EXCHANGE = "model-events"
DEAD_LETTERS = f"{EXCHANGE}.dead-letters"
"""Exchange and queue for rejected, repeatedly failed, expired or overflowing messages."""

HOME = "/var/lib/rabbitmq"
SETTINGS = "/etc/rabbitmq"
SECRETS = "/run/message-broker"
USERS_FILE, COOKIE_FILE = "users.json", "erlang-cookie"
TOPOLOGY_FILE, START_FILE, STOP_FILE = "topology.json", "start.sh", "stop.sh"

TERMINATION_GRACE_SECONDS = 120
"""Shutdown time of a node: other nodes take over its queues, and clients reconnect."""

_DAY_MILLISECONDS = 24 * 60 * 60 * 1000
_MAX_QUEUE_EVENTS = 100_000
"""Maximum length of a queue: a few hundred MB, at 2 to 3 KB per event."""
_ATTEMPTS = 20
"""Delivery attempts before an event becomes a dead letter."""
_DISCOVERY_ATTEMPTS = 100_000
"""At one second or more per attempt: more than a day."""
_DISK_SHARE = 10
"""Share of the volume; below it the broker blocks publishers, and the watcher waits."""


def config_files(spec: MessageBrokerSpec) -> dict[str, str]:
    """Return all files of the settings folder, which replaces the image's folder."""
    return {
        "rabbitmq.conf": _settings(spec),
        "enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
        TOPOLOGY_FILE: json.dumps(topology(), indent=1) + "\n",
        START_FILE: _entrypoint_script(spec.replicas),
        STOP_FILE: _pre_stop_script(spec.replicas),
    }


def node(name: str) -> str:
    """Return a node's name for its Pod's name, without the cluster's domain, which may vary."""
    return f"rabbit@{name}.{HEADLESS_SERVICE}"


def topology() -> dict[str, object]:
    """Return exchanges, queues, bindings and policies as RabbitMQ definitions."""
    limits = {"message-ttl": _DAY_MILLISECONDS, "max-length": _MAX_QUEUE_EVENTS}
    events = {
        **limits,
        "delivery-limit": _ATTEMPTS,
        "dead-letter-exchange": DEAD_LETTERS,
    }
    return {
        "exchanges": [_exchange(EXCHANGE, "topic"), _exchange(DEAD_LETTERS, "topic")],
        "queues": [_queue(EXCHANGE), _queue(DEAD_LETTERS)],
        "bindings": [_catch_all_binding(EXCHANGE), _catch_all_binding(DEAD_LETTERS)],
        # Also queues that consumers declare: an unread queue must not fill the disk. RabbitMQ
        # applies only the policy of the highest priority to a queue, so each repeats the limits.
        "policies": [
            _policy("queues", ".*", 0, events),
            _policy("dead-letters", f"^{DEAD_LETTERS.replace('.', '[.]')}$", 10, limits),
        ],
    }


def _exchange(name: str, kind: str) -> dict[str, object]:
    return {
        "name": name,
        "vhost": "/",
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queue(name: str) -> dict[str, object]:
    return {
        "name": name,
        "vhost": "/",
        "durable": True,
        "auto_delete": False,
        "arguments": {"x-queue-type": "quorum"},
    }


def _catch_all_binding(name: str) -> dict[str, object]:
    """Bind a queue to all messages of the exchange of the same name, so that none is dropped."""
    return {
        "source": name,
        "vhost": "/",
        "destination": name,
        "destination_type": "queue",
        "routing_key": "#",
        "arguments": {},
    }


def _policy(
    name: str, pattern: str, priority: int, definition: dict[str, object] | dict[str, int]
) -> dict[str, object]:
    return {
        "name": name,
        "vhost": "/",
        "pattern": pattern,
        "apply-to": "queues",
        "priority": priority,
        "definition": definition,
    }


def _settings(spec: MessageBrokerSpec) -> str:
    peers = "\n".join(
        f"cluster_formation.classic_config.nodes.{number + 1} = {node(f'{NAME}-{number}')}"
        for number in range(spec.replicas)
    )
    return f"""\
cluster_name = {NAME}
cluster_formation.peer_discovery_backend = classic_config
{peers}
# in place of half a minute, after which a node that found no other makes a cluster of its own
cluster_formation.discovery_retry_limit = {_DISCOVERY_ATTEMPTS}
# the smaller part of a cut cluster stops, so that both never go on with half of the events
cluster_partition_handling = pause_minority
# at each start: the passwords are those of the Secret, and there is no guest
load_definitions = {SECRETS}/{USERS_FILE}
# Erlang sees the node's memory, not the container's limit
total_memory_available_override_value = {memory_bytes(spec.resources.memory)}
vm_memory_high_watermark.relative = 0.6
disk_free_limit.absolute = {memory_bytes(spec.storage) // _DISK_SHARE}
log.console = true
log.console.formatter = json
log.file = false
"""


def _entrypoint_script(replicas: int) -> str:
    return f"""\
# The main process of a node. What waits in the background declares what all nodes share.
set -eu
install -m 400 {SECRETS}/{COOKIE_FILE} "$HOME/.erlang.cookie"

# A new Pod's name takes a moment to be known, and RabbitMQ does not wait for it.
until getent hosts "${{RABBITMQ_NODENAME#*@}}" > /dev/null; do sleep 1; done

first={node(f"{NAME}-0")}
if [ "$RABBITMQ_NODENAME" != "$first" ] && [ ! -d "$HOME/mnesia/$RABBITMQ_NODENAME" ]; then
  echo "waiting for $first"
  until rabbitmqctl --node "$first" ping > /dev/null 2>&1; do sleep 2; done
fi

declare_topology() {{
  rabbitmqctl await_startup > /dev/null 2>&1 &&
    rabbitmqctl --quiet await_online_nodes {replicas} &&
    rabbitmqctl --quiet enable_feature_flag all &&
    rabbitmqctl --quiet import_definitions {SETTINGS}/{TOPOLOGY_FILE} &&
    # queues of when there were fewer nodes
    rabbitmq-queues --quiet grow "$RABBITMQ_NODENAME" all
}}
{{
  until declare_topology; do sleep 2; done
  echo "exchanges, queues and limits are declared"
}} &

exec rabbitmq-server
"""


def _pre_stop_script(replicas: int) -> str:
    wait = (
        "# ending this node must not cost any queue its majority\n"
        f"rabbitmq-upgrade --timeout {TERMINATION_GRACE_SECONDS // 2}"
        " await_online_quorum_plus_one || true\n"
        if replicas > 1
        else ""
    )
    return f"""\
# Before a node is told to end: its clients go, its queues get other leaders.
{wait}rabbitmq-upgrade --timeout {TERMINATION_GRACE_SECONDS // 4} drain
"""
