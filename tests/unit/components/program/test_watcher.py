"""The watcher as the program declares it, and the contract with the watcher's own settings."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pulumi
import pytest

from components.rabbitmq.broker_config import EXCHANGE
from tests.support.recorder import DIGEST, Recorder
from watcher import election, records
from watcher.settings import Settings

Run = Callable[..., Recorder]

#: What kubelet puts into every container.
KUBELET = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def declared(run_with: Run) -> Iterator[Callable[..., Recorder]]:
    def _declared(**watcher: object) -> Recorder:
        return run_with(deploymentWatcher=watcher)

    pulumi.runtime.set_all_config(
        {"model-deployment:statusToken": "t0ken"}, ["model-deployment:statusToken"]
    )
    yield _declared
    pulumi.runtime.set_all_config({}, [])


def _spec(recorded: Recorder) -> Mapping:
    return recorded.inputs_of("Deployment", "deployment-watcher")["spec"]


def _container(recorded: Recorder) -> Mapping:
    [container] = _spec(recorded)["template"]["spec"]["containers"]
    return container


def environment(recorded: Recorder) -> dict[str, str]:
    """What the process finds: plain values, and those of the Secrets that the program declares."""
    environment = dict(KUBELET)
    for item in _container(recorded)["env"]:
        if "value" in item:
            environment[item["name"]] = item["value"]
        else:
            named = item["valueFrom"]["secretKeyRef"]
            environment[item["name"]] = _secret_value(recorded, named["name"], named["key"])
    return environment


def _secret_value(recorded: Recorder, name: str, key: str) -> str:
    """The value as the API server holds it after it has merged both fields."""
    secret = recorded.inputs_of("Secret", name)
    if "data" in secret:
        return base64.b64decode(secret["data"]["value"][key]).decode()
    return secret["stringData"]["value"][key]


def test_watcher_environment_matches_watcher_settings(
    declared: Callable[..., Recorder],
) -> None:
    recorded = declared(token="statusToken")
    variables = environment(recorded)
    settings = Settings.from_environment(variables)
    assert settings.namespace == "models"
    broker = recorded.inputs_of("Service", "message-broker")
    assert settings.broker.host == broker["metadata"]["name"]
    assert settings.broker.port in {port["port"] for port in broker["spec"]["ports"]}
    assert settings.broker.exchange == EXCHANGE
    password = _secret_value(recorded, "message-broker", f"{settings.broker.user}-password")
    assert settings.broker.password == password
    assert settings.status_token == "t0ken"
    ports = {port["name"]: port["containerPort"] for port in _container(recorded)["ports"]}
    assert ports == {"http": settings.port, "health": settings.health_port}
    # a misspelled variable would be one that no setting depends on
    for name in variables.keys() - KUBELET.keys():
        changed = {**variables, name: "9" if variables[name].isdecimal() else "other"}
        assert Settings.from_environment(changed) != settings, name


def test_watcher_without_token_has_open_status(declared: Callable[..., Recorder]) -> None:
    recorded = declared()
    assert Settings.from_environment(environment(recorded)).status_token == ""
    secrets = {item.name for item in recorded.resources if item.token.endswith(":Secret")}
    assert "deployment-watcher" not in secrets


def test_changed_watcher_token_rolls_pods_and_stays_secret(
    declared: Callable[..., Recorder],
) -> None:
    def mark() -> str:
        recorded = declared(token="statusToken")
        telling = [
            item.name
            for item in recorded.resources
            if "t0ken" in json.dumps(item.inputs, default=str)
        ]
        assert telling == ["deployment-watcher"]
        template = _spec(recorded)["template"]
        return template["metadata"]["annotations"]["model-deployment.io/secrets"]

    before = mark()
    assert mark() == before
    pulumi.runtime.set_all_config(
        {"model-deployment:statusToken": "t0ken-b"}, ["model-deployment:statusToken"]
    )
    assert mark() != before


def test_watcher_runs_two_replicas_of_its_image(
    declared: Callable[..., Recorder], project: Path
) -> None:
    recorded = declared()
    image = recorded.inputs_of("Image", "deployment-watcher")
    assert (project / image["build"]["context"] / "Dockerfile").exists()
    assert _container(recorded)["image"] == f"registry.test/models/deployment_watcher@{DIGEST}"
    assert _spec(recorded)["replicas"] == 2
    (project / "watcher/__main__.py").write_text("changed = True\n")
    assert declared().inputs_of("Image", "deployment-watcher")["imageName"] != image["imageName"]


def test_watcher_image_contains_the_shared_package_and_follows_its_changes(
    declared: Callable[..., Recorder], project: Path
) -> None:
    image = declared().inputs_of("Image", "deployment-watcher")
    assert (project / image["build"]["context"] / "cluster_client/__init__.py").exists()
    (project / "cluster_client/__init__.py").write_text("changed = True\n")
    changed = declared().inputs_of("Image", "deployment-watcher")
    assert changed["imageName"] != image["imageName"]
    context = project / changed["build"]["context"]
    assert (context / "cluster_client/__init__.py").read_text() == "changed = True\n"


def test_watcher_role_has_least_permissions(
    declared: Callable[..., Recorder],
) -> None:
    recorded = declared()
    rules = {
        (group, resource): rule["verbs"]
        for rule in recorded.inputs_of("Role", "deployment-watcher")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert rules == {
        ("apps", "deployments"): ["list", "watch"],
        ("", "pods"): ["list", "watch"],
        ("traefik.io", "ingressroutes"): ["list", "watch"],
        ("traefik.io", "traefikservices"): ["list", "watch"],
        ("coordination.k8s.io", "leases"): ["list", "watch", "get", "create", "patch", "delete"],
    }
    binding = recorded.inputs_of("RoleBinding", "deployment-watcher")
    pod = _spec(recorded)["template"]["spec"]
    [subject] = binding["subjects"]
    assert subject["name"] == pod["serviceAccountName"] == "deployment-watcher"
    assert subject["namespace"] == "models"


def test_watcher_pods_have_component_labels(declared: Callable[..., Recorder]) -> None:
    recorded = declared()
    labels = _spec(recorded)["template"]["metadata"]["labels"]
    selector = dict(term.split("=") for term in records.SELECTOR.split(",") if "=" in term)
    assert selector.items() <= labels.items()
    # and the Lease is no object of a model: no version is named like this
    assert recorded.inputs_of("Deployment", election.NAME)


def test_unmatched_paths_are_routed_to_watcher(declared: Callable[..., Recorder]) -> None:
    recorded = declared()
    [rule] = recorded.inputs_of("IngressRoute", "deployment-watcher")["spec"]["routes"]
    assert rule["match"] == "PathPrefix(`/`)"
    priorities = [
        route["priority"]
        for item in recorded.resources
        if item.token.endswith(":IngressRoute") and item.name != "deployment-watcher"
        for route in item.inputs["spec"]["routes"]
    ]
    assert 0 < rule["priority"] < min(priorities)
    [service] = rule["services"]
    service_spec = recorded.inputs_of("Service", service["name"])["spec"]
    [port] = service_spec["ports"]
    assert port["name"] == service["port"]
    assert port["targetPort"] in {port["name"] for port in _container(recorded)["ports"]}
    assert service_spec["selector"] == _spec(recorded)["selector"]["matchLabels"]
    [middleware] = rule["middlewares"]
    assert recorded.inputs_of("Middleware", middleware["name"])["spec"].keys() == {"retry"}


def test_watcher_probes_and_scrape_annotations_use_its_ports(
    declared: Callable[..., Recorder],
) -> None:
    recorded = declared()
    container = _container(recorded)
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("readiness", "liveness")]
    assert probes == [
        {"path": "/health/ready", "port": "health"},
        {"path": "/health/live", "port": "health"},
    ]
    annotations = _spec(recorded)["template"]["metadata"]["annotations"]
    settings = Settings.from_environment(environment(recorded))
    assert annotations["prometheus.io/port"] == str(settings.health_port)
    assert annotations["prometheus.io/path"] == "/metrics"
