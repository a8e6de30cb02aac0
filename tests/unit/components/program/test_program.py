"""What the program declares, to the last resource."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from tests.support.recorder import DIGEST, Recorder
from tests.unit.components.program.samples import (
    IRIS,
    PLATFORM_KINDS,
    Run,
    pod_of,
)


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
    container = pod_of(deployment)["containers"][0]
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
        pod_of(recorded.inputs_of("Deployment", name))
        for name in ("iris-v1", "ingress-controller", "deployment-watcher")
    ]
    for pod in [*pods, pod_of(recorded.inputs_of("StatefulSet", "message-broker"))]:
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
        pod_of(recorded.inputs_of("Deployment", "iris-v1"))["automountServiceAccountToken"] is False
    )


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
    arguments = pod_of(recorded.inputs_of("Deployment", "ingress-controller"))["containers"][0][
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
    container = pod_of(recorded.inputs_of("Deployment", "ingress-controller"))["containers"][0]
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
    pod = pod_of(recorded.inputs_of("Deployment", "iris-v1"))
    assert pod["nodeSelector"] == {"accelerator": "a100"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_limits_are_passed_to_harness(run: Run) -> None:
    limits = {"bodyBytes": 2048, "inFlight": 3}
    recorded = run({"iris": {**IRIS, "limits": limits}})
    container = pod_of(recorded.inputs_of("Deployment", "iris-v1"))["containers"][0]
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert (environment["MODEL_BODY_BYTES"], environment["MODEL_IN_FLIGHT"]) == ("2048", "3")


def test_version_with_image_builds_no_image(run: Run) -> None:
    image = f"registry.test/other/iris@sha256:{'e' * 64}"
    recorded = run({"iris": {**IRIS, "versions": {"v1": {"image": image}}, "routes": {}}})
    deployment = recorded.inputs_of("Deployment", "iris-v1")
    assert pod_of(deployment)["containers"][0]["image"] == image
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
