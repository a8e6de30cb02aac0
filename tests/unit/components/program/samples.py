"""The sample model and short access to its declared objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.support.recorder import Recorder

IRIS = {
    "language": "python",
    "handler": "predict:predict",
    "versions": {
        "v1": {"source": "models/iris/v1", "replicas": 2},
        "v2": {"source": "models/iris/v2", "environment": {"B": "$(A)", "A": "1"}},
    },
    "routes": {"prod": {"weights": {"v1": 90, "v2": 10}}},
}
Run = Callable[..., Recorder]

#: How the engine's protocol marks a secret value.
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"

#: The resources that exist once per stack. Of the kinds that models have, too, tests
#: count Traefik's and the watcher's.
PLATFORM_KINDS = {
    "Namespace": 1,
    "IngressController": 1,
    "MessageBroker": 1,
    "DeploymentWatcher": 1,
    "StatefulSet": 1,
    "ConfigMap": 1,  # RabbitMQ's settings
    "CustomResourceDefinition": 1,
    "ServiceAccount": 2,  # Traefik's and the watcher's, with their rights
    "Role": 2,
    "RoleBinding": 2,
    "ClusterRole": 1,
    "ClusterRoleBinding": 1,
    "IngressClass": 1,
    "ValidatingAdmissionPolicy": 1,
    "ValidatingAdmissionPolicyBinding": 1,
    "Middleware": 4,  # two retries, and the mark and the bound of copies
    "ServersTransport": 1,
    "PriorityClass": 1,
    "NetworkPolicy": 5,  # the denial, and one for each component
    "Secret": 2,  # the default certificate, and RabbitMQ's users
    "TLSStore": 1,
}


def pod_of(deployment: Mapping[str, object]) -> dict:
    return deployment["spec"]["template"]["spec"]


def environment_of(recorded: Recorder, version: str) -> dict[str, object]:
    container = pod_of(recorded.inputs_of("Deployment", version))["containers"][0]
    return {item["name"]: item.get("value") for item in container["env"]}
