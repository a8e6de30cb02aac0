"""Every way in which a pod does not come up, told in the pod's own words."""

from __future__ import annotations

import pytest

from tests.integration.plugins.stacks import Stack, deployment, kubectl

IMAGE = "python:3.11-slim-bookworm"


def python(code: str, **more: object) -> dict[str, object]:
    return {
        "image": IMAGE,
        "command": ["python3", "-c", code],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **more,
    }


SLEEP = "import time; time.sleep(3600)"
LAST_WORDS = "import sys; print('cannot read the weights', file=sys.stderr); sys.exit(3)"
HUNGRY = "x = b'x' * 400_000_000; import time; time.sleep(3600)"


@pytest.fixture(scope="module")
def broken(shared_stack: Stack) -> str:
    """The output of one update with every broken Deployment: they fail side by side."""
    namespace = shared_stack.namespace
    probe = {"exec": {"command": ["cat", "/weights"]}, "periodSeconds": 1, "timeoutSeconds": 5}
    shared_stack.declare(
        deployment(namespace, "image", {"image": "localhost:5000/absent:v9"}),
        deployment(namespace, "crash", python(LAST_WORDS)),
        deployment(namespace, "memory", python(HUNGRY, resources={"limits": {"memory": "40Mi"}})),
        deployment(
            namespace,
            "probe",
            python(SLEEP, readinessProbe=probe),
            annotations={"pulumi.com/timeoutSeconds": "20"},
        ),
        deployment(namespace, "place", python(SLEEP), pod={"nodeSelector": {"no": "node"}}),
        deployment(
            namespace,
            "greedy",
            python(SLEEP, resources={"requests": {"cpu": "5000"}}),
            pod={"priorityClassName": "absent"},
        ),
        deployment(
            namespace,
            "setting",
            python(SLEEP, envFrom=[{"configMapRef": {"name": "absent-settings"}}]),
        ),
    )
    return shared_stack.fail_up()


def story(output: str, name: str) -> str:
    """The part of the diagnostics that belongs to one resource."""
    parts = output.split("kubernetes:apps/v1:Deployment (")
    found = [part for part in parts[1:] if part.startswith(f"{name}):")]
    assert len(found) == 1, output
    return found[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image", ["localhost:5000/absent:v9 cannot be pulled", "not found"]),
        ("crash", ["exit code 3", "cannot read the weights", "logs crash-", "--previous"]),
        ("memory", ["more memory than its limit", "OOMKilled"]),
        (
            "probe",
            ["within 20 s", "Readiness probe failed", "/weights: No such file", "logs probe-"],
        ),
        ("place", ["no node can take it (Unschedulable)", "node affinity/selector"]),
        ("greedy", ["its pods are refused", "no PriorityClass with name absent"]),
        ("setting", ['configmap "absent-settings" not found', "CreateContainerConfigError"]),
    ],
)
def test_the_update_tells_the_pods_own_reason(broken: str, name: str, words: list[str]) -> None:
    told = story(broken, name)
    assert "Deployment plugins-test-" in told
    for word in words:
        assert word in told


def test_a_failed_deployment_stays_in_the_state_and_the_next_update_goes_on(
    broken: str, shared_stack: Stack
) -> None:
    assert "cannot read the weights" in shared_stack.state()["crash"]["initErrors"][0]
    shared_stack.declare(deployment(shared_stack.namespace, "crash", python(SLEEP)))
    shared_stack.up()
    crash = shared_stack.state()["crash"]
    assert "initErrors" not in crash
    assert crash["outputs"]["status"]["availableReplicas"] == 1
    shared_stack.unchanged()


def test_a_quota_that_refuses_pods_fails_the_update(stack: Stack) -> None:
    kubectl("-n", stack.namespace, "create", "quota", "none", "--hard=pods=0")
    try:
        stack.declare(deployment(stack.namespace, "refused", python(SLEEP)))
        told = stack.fail_up()
    finally:
        kubectl("-n", stack.namespace, "delete", "quota", "none")
    assert "its pods are refused (FailedCreate)" in told
    assert "exceeded quota: none" in told
