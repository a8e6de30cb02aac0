"""RabbitMQ as the program declares it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping

import pytest

from components.rabbitmq.broker_credentials import generated
from components.rabbitmq.rotate_password import rotated
from tests.support.recorder import Recorder

Run = Callable[..., Recorder]

#: How the engine's protocol marks a secret value.
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"


@pytest.fixture
def declared(run_with: Run) -> Callable[..., Recorder]:
    def _declared(**broker: object) -> Recorder:
        return run_with(messageBroker=broker)

    return _declared


def _spec(recorded: Recorder) -> Mapping:
    return recorded.inputs_of("StatefulSet", "message-broker")["spec"]


def _pod(recorded: Recorder) -> Mapping:
    return _spec(recorded)["template"]["spec"]


def _settings(recorded: Recorder) -> dict[str, str]:
    text = recorded.inputs_of("ConfigMap", "message-broker")["data"]["rabbitmq.conf"]
    lines = [line.split(" = ", 1) for line in text.splitlines() if not line.startswith("#")]
    return dict(lines)


def test_broker_nodes_use_pod_names_of_stateful_set(
    declared: Callable[..., Recorder],
) -> None:
    recorded = declared()
    spec = _spec(recorded)
    headless = recorded.inputs_of("Service", "message-broker-nodes")
    assert spec["replicas"] == 3
    assert spec["serviceName"] == headless["metadata"]["name"]
    assert headless["spec"]["clusterIP"] == "None"
    assert headless["spec"]["publishNotReadyAddresses"] is True
    assert headless["spec"]["selector"] == spec["selector"]["matchLabels"]
    settings = _settings(recorded)
    peers = [settings[f"cluster_formation.classic_config.nodes.{number}"] for number in (1, 2, 3)]
    assert peers == [f"rabbit@message-broker-{number}.message-broker-nodes" for number in (0, 1, 2)]
    assert "cluster_formation.classic_config.nodes.4" not in settings
    environment = {item["name"]: item for item in _pod(recorded)["containers"][0]["env"]}
    assert environment["RABBITMQ_NODENAME"]["value"] == "rabbit@$(POD_NAME).message-broker-nodes"
    # a variable may only name one that stands before it
    assert next(iter(environment)) == "POD_NAME"


def test_new_broker_node_never_forms_second_cluster(
    declared: Callable[..., Recorder],
) -> None:
    recorded = declared()
    # RabbitMQ's own limit is 30, then a node that reached no other boots alone
    assert int(_settings(recorded)["cluster_formation.discovery_retry_limit"]) > 24 * 60 * 60
    script = recorded.inputs_of("ConfigMap", "message-broker")["data"]["start.sh"]
    # the first node boots only with a second one: to wait for its complete start never ends
    assert 'until rabbitmqctl --node "$first" ping ' in script
    assert '--node "$first" await_startup' not in script


def test_queues_are_declared_after_all_nodes_joined(
    declared: Callable[..., Recorder],
) -> None:
    for replicas in (1, 5):
        files = declared(replicas=replicas).inputs_of("ConfigMap", "message-broker")["data"]
        script = files["start.sh"]
        joined = script.index(f"await_online_nodes {replicas} ")
        assert joined < script.index("import_definitions /etc/rabbitmq/topology.json")
        # what is loaded at the start holds no queue
        assert "queues" not in json.loads(generated()["users.json"])


def test_broker_node_shutdown_keeps_quorum(declared: Callable[..., Recorder]) -> None:
    three, single = (
        declared(replicas=replicas).inputs_of("ConfigMap", "message-broker")["data"]["stop.sh"]
        for replicas in (3, 1)
    )
    assert three.index("await_online_quorum_plus_one") < three.index("drain")
    assert "await_online_quorum_plus_one" not in single
    recorded = declared()
    pod = _pod(recorded)
    hook = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == ["sh", "/etc/rabbitmq/stop.sh"]
    assert pod["terminationGracePeriodSeconds"] == 120
    budget = recorded.inputs_of("PodDisruptionBudget", "message-broker")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == _spec(recorded)["selector"]


def test_broker_scripts_are_valid_shell(declared: Callable[..., Recorder]) -> None:
    files = declared().inputs_of("ConfigMap", "message-broker")["data"]
    for name in ("start.sh", "stop.sh"):
        subprocess.run(["sh", "-n"], input=files[name], text=True, check=True)


def test_queues_have_limits_and_dead_letter_queue(
    declared: Callable[..., Recorder],
) -> None:
    files = declared().inputs_of("ConfigMap", "message-broker")["data"]
    topology = json.loads(files["topology.json"])
    exchanges = {item["name"]: item["type"] for item in topology["exchanges"]}
    assert exchanges == {"model-events": "topic", "model-events.dead-letters": "topic"}
    kinds = {item["name"]: item["arguments"]["x-queue-type"] for item in topology["queues"]}
    assert kinds == dict.fromkeys(exchanges, "quorum")
    assert all(item["durable"] for item in [*topology["exchanges"], *topology["queues"]])
    # the watcher publishes with `mandatory`: without this no event would be taken
    bound = {(item["source"], item["destination"]) for item in topology["bindings"]}
    assert bound == {(name, name) for name in exchanges}
    assert {item["routing_key"] for item in topology["bindings"]} == {"#"}
    limits = {item["pattern"]: item["definition"] for item in topology["policies"]}
    assert {"message-ttl", "max-length"} <= limits[".*"].keys()
    assert limits[".*"]["dead-letter-exchange"] == "model-events.dead-letters"
    dead = limits["^model-events[.]dead-letters$"]
    assert {"message-ttl", "max-length"} == dead.keys()  # and nowhere further
    priorities = {item["pattern"]: item["priority"] for item in topology["policies"]}
    assert priorities["^model-events[.]dead-letters$"] > priorities[".*"]


def test_broker_size_is_taken_from_stack_file(declared: Callable[..., Recorder]) -> None:
    recorded = declared(
        replicas=1,
        image="rabbitmq:4.0-management",
        storage="2Gi",
        resources={"cpu": "300m", "memory": "512Mi"},
    )
    [claim] = _spec(recorded)["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"] == {"storage": "2Gi"}
    assert "storageClassName" not in claim["spec"]  # the cluster's default
    container = _pod(recorded)["containers"][0]
    assert container["image"] == "rabbitmq:4.0-management"
    assert container["resources"]["requests"] == {"cpu": "300m", "memory": "512Mi"}
    settings = _settings(recorded)
    assert settings["total_memory_available_override_value"] == str(512 * 2**20)
    assert int(settings["disk_free_limit.absolute"]) == 2 * 2**30 // 10
    [mount] = [item for item in container["volumeMounts"] if item["name"] == "data"]
    assert mount["mountPath"] == "/var/lib/rabbitmq"


def test_changed_broker_settings_roll_pods(declared: Callable[..., Recorder]) -> None:
    def mark(**broker: object) -> str:
        template = _spec(declared(**broker))["template"]
        return template["metadata"]["annotations"]["model-deployment.io/settings"]

    assert mark() == mark()
    assert mark() != mark(storage="2Gi")


def test_broker_services_are_cluster_internal(
    declared: Callable[..., Recorder],
) -> None:
    recorded = declared()
    for name in ("message-broker", "message-broker-nodes"):
        assert "type" not in recorded.inputs_of("Service", name)["spec"]
    assert _pod(recorded)["automountServiceAccountToken"] is False
    annotations = _spec(recorded)["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "15692"


def test_broker_credentials_are_secret_and_kept(declared: Callable[..., Recorder]) -> None:
    recorded = declared()
    stored = recorded.inputs_of("Secret", "message-broker")["data"]
    # one secret among the values makes all of the map one
    assert stored["4dabf18193072939515e22adb298388d"] == SECRET_MARK
    encoded = {value for key, value in stored["value"].items() if key.endswith("-password")}
    assert len(encoded) == 3
    passwords = {base64.b64decode(value).decode() for value in encoded}
    holders = [
        item.name
        for item in recorded.resources
        if any(text in json.dumps(item.inputs, default=str) for text in passwords | encoded)
    ]
    assert holders == ["message-broker"]
    [volume] = [item for item in _pod(recorded)["volumes"] if item["name"] == "secrets"]
    # the node has no use for the passwords themselves
    assert [item["key"] for item in volume["secret"]["items"]] == ["users.json", "erlang-cookie"]


@pytest.mark.parametrize("name", ["message-broker", "ingress-controller.certificate"])
def test_generated_secret_ignores_new_values_in_both_forms(
    declared: Callable[..., Recorder], name: str
) -> None:
    assert declared().options["Secret", name].ignore_changes == ["data", "stringData"]


def test_broker_users_have_their_passwords_and_least_permissions() -> None:
    values = generated()
    users = json.loads(values["users.json"])
    for user in users["users"]:
        salted = base64.b64decode(user["password_hash"])
        salt, digest = salted[:4], salted[4:]
        password = values[f"{user['name']}-password"]
        assert hashlib.sha256(salt + password.encode()).digest() == digest
    tags = {user["name"]: user["tags"] for user in users["users"]}
    assert tags == {"watcher": [], "consumer": [], "administrator": ["administrator"]}
    rights = {item["user"]: item for item in users["permissions"]}
    watcher = {key: rights["watcher"][key] for key in ("configure", "write", "read")}
    assert watcher == {"configure": "^$", "write": "^model-events$", "read": "^$"}
    assert generated()["watcher-password"] != values["watcher-password"]


def test_rotation_changes_the_password_and_its_hash_of_one_user_only() -> None:
    values = generated()
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    changed = rotated(data, "watcher", "new password")
    assert changed.keys() == {"watcher-password", "users.json"}
    assert base64.b64decode(changed["watcher-password"]) == b"new password"
    old, new = (
        {user["name"]: user["password_hash"] for user in json.loads(text)["users"]}
        for text in (values["users.json"], base64.b64decode(changed["users.json"]))
    )
    assert {name for name in old if old[name] != new[name]} == {"watcher"}
    salted = base64.b64decode(new["watcher"])
    assert hashlib.sha256(salted[:4] + b"new password").digest() == salted[4:]
