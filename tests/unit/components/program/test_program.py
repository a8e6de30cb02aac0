"""What the program declares, to the last resource."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pulumi
import pytest

from tests.support.recorder import DIGEST, Recorder

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


def _pod(deployment: Mapping[str, object]) -> dict:
    return deployment["spec"]["template"]["spec"]


def _images(recorded: Recorder) -> list[str]:
    """The models', in alphabetical order: when a resource is registered depends on its outputs."""
    built = (item.name for item in recorded.resources if item.token.endswith(":Image"))
    return sorted(name for name in built if name != "deployment-watcher")


def test_one_model_with_two_versions_declares_exactly_these_resources(run: Run) -> None:
    run({"iris": IRIS}).seal(
        **PLATFORM_KINDS,
        Model=1,
        ModelVersion=2,
        Image=4,  # the watcher, the harness and two versions
        Deployment=4,
        Service=6,  # two of RabbitMQ
        PodDisruptionBudget=5,
        Ingress=3,  # and Traefik's own readiness
        TraefikService=1,  # prod; latest has nothing to share out
        IngressRoute=4,  # latest, prod, Traefik's own readiness, and all that no model has
    )


def test_object_names_are_model_and_version(run: Run) -> None:
    recorded = run({"iris": IRIS})
    for kind in ("Deployment", "Service", "PodDisruptionBudget", "Ingress"):
        metadata = recorded.inputs_of(kind, "iris-v2")["metadata"]
        assert (metadata["name"], metadata["namespace"]) == ("iris-v2", "models")
        assert metadata["labels"] == {
            "app.kubernetes.io/name": "iris",
            "app.kubernetes.io/version": "v2",
            "app.kubernetes.io/component": "model",
            "app.kubernetes.io/part-of": "model-deployment",
            "app.kubernetes.io/managed-by": "pulumi",
        }


def test_deployment_has_image_digest_labels_and_annotations(run: Run) -> None:
    deployment = run({"iris": IRIS}).inputs_of("Deployment", "iris-v1")
    container = _pod(deployment)["containers"][0]
    assert container["image"] == f"registry.test/models/iris@{DIGEST}"
    annotations = deployment["metadata"]["annotations"]
    assert annotations["model-deployment.io/image-digest"] == DIGEST
    assert annotations["model-deployment.io/language"] == "python"
    assert annotations["model-deployment.io/handler"] == "predict:predict"
    assert len(annotations["model-deployment.io/content-hash"]) == 64
    assert set(annotations) == {
        f"model-deployment.io/{name}"
        for name in (
            "content-hash",
            "image-digest",
            "language",
            "handler",
            "git-commit",
            "published-at",
        )
    } | {"pulumi.com/patchForce"}


def test_content_hash_depends_on_source_only(run: Run, project: Path) -> None:
    def hashes() -> list[str]:
        recorded = run({"iris": IRIS})
        return [
            recorded.inputs_of("Deployment", f"iris-{version}")["metadata"]["annotations"][
                "model-deployment.io/content-hash"
            ]
            for version in ("v1", "v2")
        ]

    before = hashes()
    (project / "harness/python/Dockerfile").write_text("FROM scratch\nUSER 1\n")
    assert hashes() == before
    (project / "models/iris/v2/predict.py").write_text("def predict(value):\n    return 0\n")
    after = hashes()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_image_tag_depends_on_all_build_inputs(run: Run, project: Path) -> None:
    first = run({"iris": IRIS})
    again = run({"iris": IRIS})
    assert first.inputs_of("Image", "iris-v1") == again.inputs_of("Image", "iris-v1")
    (project / "harness/python/Dockerfile").write_text("FROM scratch\nUSER 1\n")
    rebuilt = run({"iris": IRIS})
    assert (
        rebuilt.inputs_of("Image", "iris-v1")["imageName"]
        != first.inputs_of("Image", "iris-v1")["imageName"]
    )
    build = first.inputs_of("Image", "iris-v1")["build"]
    assert build["args"] == {"HARNESS": f"registry.test/models/harness_python@{DIGEST}"}
    assert (project / build["context"] / "source/predict.py").exists()
    assert build["dockerfile"] == f"{build['context']}/Dockerfile"


def test_pods_are_unprivileged_and_read_only(run: Run) -> None:
    recorded = run({"iris": IRIS})
    pods = [
        _pod(recorded.inputs_of("Deployment", name))
        for name in ("iris-v1", "ingress-controller", "deployment-watcher")
    ]
    for pod in [*pods, _pod(recorded.inputs_of("StatefulSet", "message-broker"))]:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        container = pod["containers"][0]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
    assert (
        _pod(recorded.inputs_of("Deployment", "iris-v1"))["automountServiceAccountToken"] is False
    )


SLOW = {"source": "models/iris/v2", "threads": 8, "workers": 2, "timeoutSeconds": 90}


def _environment(recorded: Recorder, version: str) -> dict[str, object]:
    container = _pod(recorded.inputs_of("Deployment", version))["containers"][0]
    return {item["name"]: item.get("value") for item in container["env"]}


def test_version_sets_threads_workers_and_timeout(run: Run) -> None:
    versions = {"v1": {"source": "models/iris/v1"}, "v2": SLOW}
    recorded = run({"iris": {**IRIS, "versions": versions}})
    settings = [
        [_environment(recorded, version)[f"MODEL_{name}"] for version in ("iris-v1", "iris-v2")]
        for name in ("THREADS", "WORKERS", "TIMEOUT_SECONDS")
    ]
    assert settings == [["1", "8"], ["1", "2"], ["30", "90"]]


def test_pre_stop_delay_and_grace_period_cover_running_calls(run: Run) -> None:
    versions = {"v1": {"source": "models/iris/v1"}, "v2": SLOW}
    recorded = run({"iris": {**IRIS, "versions": versions}})
    for version, call in (("iris-v1", 30), ("iris-v2", 90)):
        pod = _pod(recorded.inputs_of("Deployment", version))
        sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        # the harness itself ends at most 5 s after its longest call
        assert call + 5 < pod["terminationGracePeriodSeconds"] - sleep <= call + 10


def test_traefik_timeout_covers_longest_call(run: Run) -> None:
    def waits(models: dict[str, object]) -> tuple[list[int], int, str]:
        recorded = run(models)
        pod = _pod(recorded.inputs_of("Deployment", "ingress-controller"))
        arguments_list = pod["containers"][0]["args"]
        arguments = dict(item.split("=", 1) for item in arguments_list if "=" in item)
        seconds = [
            int(arguments[name].removesuffix("s"))
            for name in (
                "--serverstransport.forwardingtimeouts.responseheadertimeout",
                "--entrypoints.web.transport.lifecycle.gracetimeout",
            )
        ]
        copies = recorded.inputs_of("ServersTransport", "ingress-controller.mirror")["spec"]
        return (
            seconds,
            pod["terminationGracePeriodSeconds"],
            copies["forwardingTimeouts"]["responseHeaderTimeout"],
        )

    echo = {**IRIS, "versions": {"v1": {"source": "models/echo/v1"}}, "routes": {}}
    assert waits({"echo": echo}) == ([40, 35], 45, "30s")
    slow = {**echo, "versions": {"v1": SLOW}}
    assert waits({"slow": slow, "echo": echo}) == ([100, 95], 105, "90s")
    quick = {**echo, "versions": {"v1": {**SLOW, "timeoutSeconds": 2}}}
    assert waits({"quick": quick}) == ([12, 7], 17, "2s")


def test_version_pods_have_scrape_annotations(run: Run) -> None:
    deployment = run({"iris": IRIS}).inputs_of("Deployment", "iris-v1")
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8081",
        "prometheus.io/path": "/metrics",
    }


def test_environment_lists_harness_variables_before_user_variables(run: Run) -> None:
    container = _pod(run({"iris": IRIS}).inputs_of("Deployment", "iris-v2"))["containers"][0]
    assert [(item["name"], item["value"]) for item in container["env"]] == [
        ("MODEL_NAME", "iris"),
        ("MODEL_VERSION", "v2"),
        ("MODEL_HANDLER", "predict:predict"),
        ("MODEL_BODY_BYTES", "10485760"),
        ("MODEL_IN_FLIGHT", "64"),
        ("MODEL_TIMEOUT_SECONDS", "30"),
        ("MODEL_THREADS", "1"),
        ("MODEL_WORKERS", "1"),
        ("MODEL_TERMINATION_LOG", "/dev/termination-log"),
        ("A", "1"),
        ("B", "$$(A)"),
    ]


def test_termination_message_is_never_read_from_logs(run: Run) -> None:
    container = _pod(run({"iris": IRIS}).inputs_of("Deployment", "iris-v1"))["containers"][0]
    assert container["terminationMessagePolicy"] == "File"
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["MODEL_TERMINATION_LOG"] == container["terminationMessagePath"]


def test_route_has_weights_and_both_addresses(run: Run) -> None:
    recorded = run({"iris": IRIS})
    shares = recorded.inputs_of("TraefikService", "iris-prod")
    names = [entry["name"] for entry in shares["spec"]["weighted"]["services"]]
    assert Counter(names) == {
        "models-iris-v1-http@kubernetes": 9,
        "models-iris-v2-http@kubernetes": 1,
    }
    assert json.loads(shares["metadata"]["annotations"]["model-deployment.io/weights"]) == {
        "v1": 90,
        "v2": 10,
    }
    rule = recorded.inputs_of("IngressRoute", "iris-prod")["spec"]["routes"][0]
    assert "PathPrefix(`/models/iris/prod/`)" in rule["match"]
    assert "PathPrefix(`/models/iris/labels/prod/`)" in rule["match"]
    assert rule["services"] == [{"kind": "TraefikService", "name": "iris-prod"}]


def test_latest_is_highest_version_number(run: Run) -> None:
    versions = {
        "v10": {"source": "models/iris/v1"},
        "v9": {"source": "models/iris/v2"},
    }
    recorded = run({"iris": {**IRIS, "versions": versions, "routes": {}}})
    rule = recorded.inputs_of("IngressRoute", "iris-latest")["spec"]["routes"][0]
    assert rule["services"] == [
        {"kind": "TraefikService", "name": "models-iris-v10-http@kubernetes"}
    ]
    assert "PathPrefix(`/models/iris/latest/`)" in rule["match"]


def test_address_of_v1_does_not_match_v10(run: Run) -> None:
    [rule] = run({"iris": IRIS}).inputs_of("Ingress", "iris-v1")["spec"]["rules"]
    paths = rule["http"]["paths"]
    assert [path["path"] for path in paths] == [
        "/models/iris/versions/v1/",
        "/v2/models/iris/versions/v1/",
    ]
    assert {path["pathType"] for path in paths} == {"Prefix"}
    # one service in Traefik, whatever the address
    backends = [path["backend"]["service"] for path in paths]
    assert backends == [{"name": "iris-v1", "port": {"name": "http"}}] * 2


def test_traefik_watches_own_namespace_and_class_only(run: Run) -> None:
    recorded = run({"iris": IRIS})
    arguments = _pod(recorded.inputs_of("Deployment", "ingress-controller"))["containers"][0][
        "args"
    ]
    assert "--providers.kubernetescrd.namespaces=models" in arguments
    assert "--providers.kubernetesingress.namespaces=models" in arguments
    assert "--providers.kubernetesingress.ingressclass=model-deployment-models" in arguments
    assert "--providers.kubernetesingress.strictprefixmatching=true" in arguments
    assert recorded.inputs_of("Ingress", "iris-v1")["spec"]["ingressClassName"] == (
        "model-deployment-models"
    )
    rules = recorded.inputs_of("ClusterRole", "ingress-controller")["rules"]
    assert not any("secrets" in rule["resources"] for rule in rules)


def test_traefik_readiness_waits_for_routes(run: Run) -> None:
    recorded = run({"iris": IRIS})
    container = _pod(recorded.inputs_of("Deployment", "ingress-controller"))["containers"][0]
    route = recorded.inputs_of("IngressRoute", "ingress-controller.ready")["spec"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/_ready", "port": "traefik"}
    assert route["entryPoints"] == ["traefik"]
    assert route["routes"][0]["match"] == "Path(`/_ready`)"
    services = [entry["name"] for entry in route["routes"][0]["services"]]
    assert services == ["ping@internal", "models-ingress-controller-web@kubernetes"]


def test_outputs_contain_weights(run: Run) -> None:
    outputs = run({"iris": IRIS}).outputs
    assert outputs == {
        "url": "http://models.test:30080",
        "status": "http://models.test:30080/status/",
        "models": {
            "iris": {
                "url": "http://models.test:30080/models/iris",
                "versions": ["v1", "v2"],
                "routes": {"latest": {"v2": 100}, "prod": {"v1": 90, "v2": 10}},
            }
        },
    }


def test_autoscaled_deployment_has_no_replicas(run: Run) -> None:
    scaled = {"source": "models/iris/v1", "autoscaling": {"min": 2, "max": 5, "cpu": 60}}
    recorded = run({"iris": {**IRIS, "versions": {"v1": scaled}, "routes": {}}})
    assert "replicas" not in recorded.inputs_of("Deployment", "iris-v1")["spec"]
    scaler = recorded.inputs_of("HorizontalPodAutoscaler", "iris-v1")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 5)
    assert scaler["scaleTargetRef"]["name"] == "iris-v1"
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 60


def test_pod_has_gpus_and_node_selector(run: Run) -> None:
    version = {
        "source": "models/iris/v1",
        "resources": {"gpu": 2},
        "nodeSelector": {"accelerator": "a100"},
    }
    recorded = run({"iris": {**IRIS, "versions": {"v1": version}, "routes": {}}})
    pod = _pod(recorded.inputs_of("Deployment", "iris-v1"))
    assert pod["nodeSelector"] == {"accelerator": "a100"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_limits_are_passed_to_harness(run: Run) -> None:
    limits = {"bodyBytes": 2048, "inFlight": 3}
    recorded = run({"iris": {**IRIS, "limits": limits}})
    container = _pod(recorded.inputs_of("Deployment", "iris-v1"))["containers"][0]
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert (environment["MODEL_BODY_BYTES"], environment["MODEL_IN_FLIGHT"]) == ("2048", "3")


def test_version_with_image_builds_no_image(run: Run) -> None:
    image = f"registry.test/other/iris@sha256:{'e' * 64}"
    recorded = run({"iris": {**IRIS, "versions": {"v1": {"image": image}}, "routes": {}}})
    deployment = recorded.inputs_of("Deployment", "iris-v1")
    assert _pod(deployment)["containers"][0]["image"] == image
    assert deployment["metadata"]["annotations"]["model-deployment.io/image-digest"] == (
        f"sha256:{'e' * 64}"
    )
    assert _images(recorded) == []


CARS = {
    "language": "r",
    "handler": "predict:predict",
    "versions": {"v1": {"source": "models/cars", "workers": 2}},
}


def test_stack_builds_harness_of_used_languages_only(run: Run) -> None:
    assert _images(run({"iris": IRIS})) == ["harness-python", "iris-v1", "iris-v2"]
    assert _images(run({"cars": CARS})) == ["cars-v1", "harness-r"]
    both = ["cars-v1", "harness-python", "harness-r", "iris-v1", "iris-v2"]
    assert _images(run({"cars": CARS, "iris": IRIS})) == both


NEWER = {**IRIS, "python": "3.13", "routes": {}}


def test_each_python_has_a_harness_image_in_one_repository(run: Run) -> None:
    recorded = run({"iris": IRIS, "newer": NEWER})
    assert [name for name in _images(recorded) if name.startswith("harness")] == [
        "harness-python",
        "harness-python-3.13",
    ]
    older, newer = (recorded.inputs_of("Image", f"harness-python{end}") for end in ("", "-3.13"))
    assert older["build"].get("args", {}) == {}
    assert newer["build"]["args"] == {"BASE": "python:3.13-slim-trixie"}
    repository = "registry.test/models/harness_python"
    digits = older["imageName"].removeprefix(f"{repository}:")
    assert re.fullmatch("[0-9a-f]{12}", digits)
    tag = newer["imageName"].removeprefix(f"{repository}:3.13-")
    assert re.fullmatch("[0-9a-f]{12}", tag)
    assert tag != digits
    assert recorded.inputs_of("Image", "iris-v1")["imageName"].endswith(f"-{digits}")
    assert recorded.inputs_of("Image", "newer-v1")["imageName"].endswith(f"-{tag}")


def test_explicit_default_python_changes_hash_and_no_harness(run: Run) -> None:
    explicit = {**IRIS, "python": "3.11", "routes": {}}
    recorded = run({"iris": IRIS, "explicit": explicit})
    assert [name for name in _images(recorded) if name.startswith("harness")] == ["harness-python"]
    hashes = {
        recorded.inputs_of("Deployment", f"{model}-v1")["metadata"]["annotations"][
            "model-deployment.io/content-hash"
        ]
        for model in ("iris", "explicit")
    }
    assert len(hashes) == 2


def test_r_version_is_built_from_r_harness(run: Run, project: Path) -> None:
    recorded = run({"cars": CARS})
    build = recorded.inputs_of("Image", "cars-v1")["build"]
    assert build["args"] == {"HARNESS": f"registry.test/models/harness_r@{DIGEST}"}
    assert (project / build["context"] / "source/predict.R").exists()
    assert (project / build["context"] / "dependencies").read_bytes() == b""
    deployment = recorded.inputs_of("Deployment", "cars-v1")
    assert deployment["metadata"]["annotations"]["model-deployment.io/language"] == "r"


def test_version_secrets_are_one_secret_object(run: Run) -> None:
    pulumi.runtime.set_all_config({"model-deployment:irisApiKey": "s3cret"})
    try:
        version = {"source": "models/iris/v1", "secrets": {"API_KEY": "irisApiKey"}}
        recorded = run({"iris": {**IRIS, "versions": {"v1": version}, "routes": {}}})
    finally:
        pulumi.runtime.set_all_config({})
    deployment = recorded.inputs_of("Deployment", "iris-v1")
    environment = {item["name"]: item for item in _pod(deployment)["containers"][0]["env"]}
    assert environment["API_KEY"]["valueFrom"] == {
        "secretKeyRef": {"name": "iris-v1", "key": "API_KEY"}
    }
    assert environment["MODEL_SECRETS"]["value"] == "API_KEY"
    stored = recorded.inputs_of("Secret", "iris-v1")["stringData"]
    assert stored["4dabf18193072939515e22adb298388d"] == SECRET_MARK
    assert stored["value"] == {"API_KEY": "s3cret"}
    # rotating a value rolls the Pods, and says nothing about it
    pod_annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert len(pod_annotations["model-deployment.io/secrets"]) == 8
    assert "s3cret" not in json.dumps(deployment, default=str)


TOKENS = {"irisTokenA": "t0ken-a", "irisTokenB": "t0ken-b"}


@pytest.fixture
def tokens() -> Iterator[Callable[..., None]]:
    def _set(**values: str) -> None:
        config = {f"model-deployment:{key}": value for key, value in {**TOKENS, **values}.items()}
        pulumi.runtime.set_all_config(config, list(config))

    _set()
    yield _set
    pulumi.runtime.set_all_config({}, [])


GUARDED = {**IRIS, "tokens": ["irisTokenA", "irisTokenB"]}


def test_model_tokens_are_one_secret_object(run: Run, tokens: object) -> None:
    recorded = run({"iris": GUARDED})
    recorded.seal(
        **{**PLATFORM_KINDS, "Secret": 3},
        Model=1,
        ModelVersion=2,
        Image=4,
        Deployment=4,
        Service=6,
        PodDisruptionBudget=5,
        Ingress=3,
        TraefikService=1,
        IngressRoute=4,
    )
    secret = recorded.inputs_of("Secret", "iris-tokens")
    assert secret["metadata"]["name"] == "iris-tokens"
    assert secret["metadata"]["namespace"] == "models"
    assert secret["metadata"]["labels"]["app.kubernetes.io/name"] == "iris"
    assert secret["stringData"]["4dabf18193072939515e22adb298388d"] == SECRET_MARK
    assert secret["stringData"]["value"] == TOKENS


def test_versions_mount_model_tokens(run: Run, tokens: object) -> None:
    recorded = run({"iris": GUARDED})
    for version in ("iris-v1", "iris-v2"):
        pod = _pod(recorded.inputs_of("Deployment", version))
        [volume] = [
            volume_item for volume_item in pod["volumes"] if volume_item["name"] == "tokens"
        ]
        assert volume["secret"] == {"secretName": "iris-tokens", "defaultMode": 0o440}
        container = pod["containers"][0]
        [mount] = [
            volume_item
            for volume_item in container["volumeMounts"]
            if volume_item["name"] == "tokens"
        ]
        # a subPath would never be brought up to date
        assert mount == {
            "name": "tokens",
            "mountPath": _environment(recorded, version)["MODEL_TOKENS"],
            "readOnly": True,
        }


def test_changed_token_changes_secret_object_only(run: Run, tokens: Callable[..., None]) -> None:
    def registered() -> dict[tuple[str, str], str]:
        recorded = run({"iris": GUARDED})
        # generated in each run and ignored in all but the first; the publishing time is fixed
        fresh = {("Secret", "ingress-controller.certificate"), ("Secret", "message-broker")}
        unchanging = [
            item
            for item in recorded.resources
            if (item.token.rpartition(":")[2], item.name) not in fresh
        ]
        return {
            (item.token, item.name): re.sub(
                r"....-..-..T..:..:..Z", "<time>", json.dumps(item.inputs, default=str)
            )
            for item in unchanging
        }

    before = registered()
    tokens(irisTokenB="t0ken-c")
    after = registered()
    assert [key for key in before if before[key] != after[key]] == [
        ("kubernetes:core/v1:Secret", "iris-tokens")
    ]


def test_token_value_appears_in_secret_object_only(run: Run, tokens: object) -> None:
    recorded = run({"iris": GUARDED})
    telling = [
        item.name for item in recorded.resources if "t0ken" in json.dumps(item.inputs, default=str)
    ]
    assert telling == ["iris-tokens"]
    assert "t0ken" not in json.dumps(recorded.outputs, default=str)


def test_model_without_tokens_has_no_token_settings(run: Run) -> None:
    recorded = run({"iris": IRIS})
    pod = _pod(recorded.inputs_of("Deployment", "iris-v1"))
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]
    assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == ["tmp"]
    assert "MODEL_TOKENS" not in _environment(recorded, "iris-v1")
