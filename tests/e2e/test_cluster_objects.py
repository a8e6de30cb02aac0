"""The cluster's objects: rights, limits, budgets, labels and annotations."""

from __future__ import annotations

import re

import pytest

from tests.support import local_stack
from tests.support.local_stack import Object

PART_OF = "app.kubernetes.io/part-of=model-deployment"
MODELS = {
    "iris-v1": ("iris", "v1"),
    "iris-v2": ("iris", "v2"),
    "iris-v3": ("iris", "v3"),
    "echo-v1": ("echo", "v1"),
    "echo-v2": ("echo", "v2"),
    "mpg-v1": ("mpg", "v1"),
}
LANGUAGES = {"iris": "python", "echo": "python", "mpg": "r"}
WORKLOADS = {*MODELS, "ingress-controller", "deployment-watcher"}
BROKER = "message-broker"
PODS = 2 * len(WORKLOADS) + 1
"""Two Pods of each Deployment, and one broker node."""


@pytest.fixture(scope="module")
def deployments() -> dict[str, Object]:
    by_name = {item["metadata"]["name"]: item for item in local_stack.objects("deployments")}
    assert by_name.keys() == WORKLOADS
    return by_name


@pytest.fixture(scope="module")
def running() -> list[Object]:
    """Return all Pods of the namespace; the number is fixed, so that none is unchecked."""
    pods = [
        pod for pod in local_stack.objects("pods") if "deletionTimestamp" not in pod["metadata"]
    ]
    assert len(pods) == PODS
    return pods


def test_pods_run_without_root_and_privilege_escalation(running: list[Object]) -> None:
    for pod in running:
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["runAsGroup"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys()
        assert "initContainers" not in pod["spec"]
        for container in pod["spec"]["containers"]:
            own = container["securityContext"]
            assert own == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_model_processes_have_no_capabilities() -> None:
    """Read the kernel's state of the processes, not their specification."""
    pod = local_stack.pods("echo", "v1")[0]
    status = local_stack.kubectl("exec", pod, "--", "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["65532"] * 4
    assert {fields[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"  # seccomp filter


def test_models_have_no_service_account_token(running: list[Object]) -> None:
    models = [
        pod
        for pod in running
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "model"
    ]
    assert len(models) == 2 * len(MODELS)
    for pod in models:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert [volume.keys() - {"name"} for volume in pod["spec"]["volumes"]] == [{"emptyDir"}]
        mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
        assert mounts == ["/tmp"]


def test_containers_have_requests_and_limits(running: list[Object]) -> None:
    for pod in running:
        for container in pod["spec"]["containers"]:
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


def test_probes_use_health_port(deployments: dict[str, Object]) -> None:
    for name in MODELS:
        (container,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["port"] == "health"
        assert container["livenessProbe"]["httpGet"]["port"] == "health"
        assert container["lifecycle"]["preStop"]


def test_images_are_deployed_by_digest(deployments: dict[str, Object]) -> None:
    for name, (model, _) in MODELS.items():
        (container,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        pattern = rf"localhost:5000/models/{model}@(sha256:[0-9a-f]{{64}})"
        image = re.fullmatch(pattern, container["image"])
        assert image, container["image"]
        annotations = deployments[name]["metadata"]["annotations"]
        assert annotations["model-deployment.io/image-digest"] == image[1]


@pytest.mark.parametrize("name", MODELS)
def test_version_has_labels_and_annotations(deployments: dict[str, Object], name: str) -> None:
    model, version = MODELS[name]
    expected = {
        "app.kubernetes.io/name": model,
        "app.kubernetes.io/version": version,
        "app.kubernetes.io/component": "model",
        "app.kubernetes.io/part-of": "model-deployment",
        "app.kubernetes.io/managed-by": "pulumi",
    }
    assert deployments[name]["metadata"]["labels"] == expected
    prefix = "model-deployment.io/"
    annotations = {
        key.removeprefix(prefix): value
        for key, value in deployments[name]["metadata"]["annotations"].items()
        if key.startswith(prefix)
    }
    assert annotations.keys() == {
        "content-hash", "image-digest", "git-commit", "handler", "language", "published-at",
    }  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{64}", annotations["content-hash"])
    assert re.fullmatch(r"unknown|[0-9a-f]{40}(-dirty)?", annotations["git-commit"])
    assert annotations["handler"] == "predict:predict"
    assert annotations["language"] == LANGUAGES[model]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", annotations["published-at"])


@pytest.mark.parametrize("name", MODELS)
def test_version_has_service_budget_and_ingress(name: str) -> None:
    model, version = MODELS[name]
    selector = f"app.kubernetes.io/name={model},app.kubernetes.io/version={version}"
    objects = local_stack.objects("services,poddisruptionbudgets,ingresses", selector)
    assert sorted((item["kind"], item["metadata"]["name"]) for item in objects) == [
        ("Ingress", name),
        ("PodDisruptionBudget", name),
        ("Service", name),
    ]
    (ingress,) = (item for item in objects if item["kind"] == "Ingress")
    (rule,) = ingress["spec"]["rules"]
    paths = rule["http"]["paths"]
    assert [path["path"] for path in paths] == [
        f"/models/{model}/versions/{version}/",
        f"/v2/models/{model}/versions/{version}/",
    ]
    assert {path["backend"]["service"]["name"] for path in paths} == {name}


def test_routes_are_objects_of_their_model(deployments: dict[str, Object]) -> None:
    objects = {
        (item["kind"], item["metadata"]["name"])
        for item in local_stack.objects("traefikservices,ingressroutes")
        if item["metadata"]["labels"]["app.kubernetes.io/component"] == "route"
    }
    shared = [f"{model}-prod" for model in LANGUAGES]
    latest = [f"{model}-latest" for model in LANGUAGES]
    assert objects == {
        *(("IngressRoute", name) for name in (*latest, *shared)),
        *(("TraefikService", name) for name in shared),
    }


def test_disruption_budgets_allow_drain() -> None:
    """Evict in a dry run of the API server."""
    node = local_stack.kubectl("get", "nodes", "-o", "name").strip().removeprefix("node/")
    output = local_stack.kubectl(
        "drain", node, "--dry-run=server", "--delete-emptydir-data", "--timeout=10s",
        f"--pod-selector={PART_OF}",
    )  # fmt: skip
    assert output.count("evicting pod models/") == PODS
    assert "cannot evict" not in output.lower()
    budgets = local_stack.objects("poddisruptionbudgets")
    assert {item["metadata"]["name"] for item in budgets} == {*WORKLOADS, BROKER}
    assert {item["status"]["disruptionsAllowed"] for item in budgets} == {1}
