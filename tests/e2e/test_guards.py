"""Protection of published versions and traffic, on the running stack."""

from __future__ import annotations

import json

import pytest

from tests.support import local_stack
from tests.support.local_stack import Object, environment, run
from tests.support.project_copy import MODELS, ProjectCopy
from tests.support.traffic import call

HASH = "model-deployment.io/content-hash"
OTHER = {"name": "model", "image": "localhost:5000/models/echo@sha256:" + "0" * 64}


def _patch(kind: str, name: str, patch: object) -> local_stack.Outcome:
    """Patch an object by the API server with its admission policy, without storing the result."""
    command = ("kubectl", "--namespace", local_stack.NAMESPACE, "patch", kind, name)
    options = ("--dry-run=server", "--type=strategic", "-p", json.dumps(patch))
    return run(*command, *options, env=environment())


@pytest.mark.parametrize("command", [("preview",), ("up", "--yes", "--skip-preview")])
def test_changed_content_of_published_version_is_refused(
    project_copy: ProjectCopy, command: tuple[str, ...]
) -> None:
    content = project_copy.read()
    content["config"][MODELS]["echo"]["versions"]["v1"]["environment"] = {"NEW": "yes"}
    project_copy.write(content)
    before = local_stack.declared()
    outcome = project_copy.pulumi(*command).failed()
    assert "models.echo.versions.v1: found content that changed since it was" in outcome.text
    assert "publish it as a new version" in outcome.text
    assert "Traceback" not in outcome.text
    assert local_stack.declared() == before


def test_replicas_and_resources_of_published_version_may_change(
    project_copy: ProjectCopy,
) -> None:
    content = project_copy.read()
    version = content["config"][MODELS]["echo"]["versions"]["v1"]
    version["replicas"] = 4
    version["resources"] = {"cpu": "50m", "memory": "256Mi"}
    project_copy.write(content)
    text = project_copy.pulumi("preview").succeeded().text
    assert "Deployment echo-v1 update" in text
    # resource requests: four Pods of 50m instead of two of 100m
    assert "additional resource requests: memory +512Mi" in text


def _container(**fields: object) -> Object:
    """Return a patch of the container of a version."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "model", **fields}]}}}}


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ({"metadata": {"annotations": {HASH: "f" * 64}}}, "a published version is immutable"),
        ({"metadata": {"annotations": {HASH: None}}}, "must carry the annotation"),
        (
            {"spec": {"template": {"spec": {"containers": [OTHER]}}}},
            "every container's image must be the digest",
        ),
        (_container(command=["sleep", "1d"]), "run only the entry point of its image"),
        (_container(args=["x"]), "run only the entry point of its image"),
        (
            _container(volumeMounts=[{"name": "tmp", "mountPath": "/opt/model"}]),
            "run only the entry point of its image",
        ),
        (
            {"spec": {"template": {"spec": {"initContainers": [{"name": "x", "image": "x"}]}}}},
            "run only the entry point of its image",
        ),
        (
            _container(env=[{"name": "MODEL_HANDLER", "value": "os:getcwd"}]),
            "its handler and environment cannot change",
        ),
        (
            _container(env=[{"name": "EXTRA", "value": "1"}]),
            "its handler and environment cannot change",
        ),
        (
            {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
            "must keep its labels",
        ),
    ],
    ids=[
        "another hash",
        "no hash",
        "another image",
        "command",
        "args",
        "mount",
        "initContainer",
        "handler",
        "environment",
        "label",
    ],
)
def test_admission_policy_refuses_change_of_published_version(patch: object, reason: str) -> None:
    assert reason in _patch("deployment", "echo-v1", patch).failed().text


def test_admission_policy_allows_change_of_replicas() -> None:
    _patch("deployment", "echo-v1", {"spec": {"replicas": 2}}).succeeded()


def test_admission_policy_allows_change_of_limits() -> None:
    limits = _container(env=[{"name": "MODEL_IN_FLIGHT", "value": "3"}])
    _patch("deployment", "echo-v1", limits).succeeded()


def test_admission_policy_refuses_pods_that_would_get_traffic_of_version() -> None:
    labels = {"app.kubernetes.io/name": "iris", "app.kubernetes.io/version": "v1"}
    rogue = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "rogue"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "x", "image": "x"}]},
            },
        },
    }
    with pytest.raises(AssertionError, match="must have the version's name"):
        local_stack.kubectl_with(json.dumps(rogue), "create", "--dry-run=server", "--filename=-")


def test_preview_shows_effect_on_traffic(
    project_copy: ProjectCopy,
) -> None:
    content = project_copy.read()
    content["config"][MODELS]["iris"]["routes"]["prod"]["weights"] = {"v1": 50, "v2": 50}
    project_copy.write(content)
    before = local_stack.declared()
    text = project_copy.pulumi("preview").succeeded().text
    assert "~ /models/iris/prod  v1 90 % -> 50 % (-40), v2 10 % -> 50 % (+40)" in text
    assert "additional resource requests" not in text
    assert local_stack.declared() == before


def test_promotion_and_rollback_change_route_only(
    project_copy: ProjectCopy, report: list[str]
) -> None:
    before = local_stack.declared()
    content = project_copy.read()
    content["config"][MODELS]["iris"]["routes"]["prod"]["weights"] = {"v1": 0, "v2": 100}
    project_copy.write(content)
    project_copy.up().succeeded()
    during = local_stack.declared()
    moved = {name for name in {*before, *during} if before.get(name) != during.get(name)}
    assert moved == {"TraefikService iris-prod"}
    assert {call("iris", "prod").headers["X-Model-Version"] for _ in range(20)} == {"v2"}
    reverted = project_copy.give_back()
    assert reverted is not None
    report.append(f"weights reverted by pulumi up in {reverted.seconds:.1f} s")
    after = local_stack.declared()
    assert {name: annotations for name, (_, _, annotations) in after.items()} == {
        name: annotations for name, (_, _, annotations) in before.items()
    }
