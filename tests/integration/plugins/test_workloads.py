"""Kinds besides Deployments that are waited for, with real pods."""

from __future__ import annotations

from typing import Any

from tests.integration.plugins.stacks import Declared, Stack, kubectl, live

IMAGE = "python:3.11-slim-bookworm"


def pod(code: str, **spec: object) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["python3", "-c", code],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}


def workload(
    api: str, kind: str, name: str, namespace: str, template: dict[str, Any], **spec: object
) -> Declared:
    labels = {"app": name}
    selector = {} if kind == "Job" else {"selector": {"matchLabels": labels}}
    return Declared(
        f"kubernetes:{api}:{kind}",
        name,
        {
            "apiVersion": api,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                **selector,
                **spec,
                "template": {"metadata": {"labels": labels}, "spec": template},
            },
        },
    )


SLEEP = "import time; time.sleep(3600)"


def test_sets_jobs_and_services_are_waited_for(stack: Stack) -> None:
    namespace = stack.namespace
    ordered = workload(
        "apps/v1", "StatefulSet", "ordered", namespace, pod(SLEEP), replicas=1, serviceName="none"
    )
    everywhere = workload("apps/v1", "DaemonSet", "everywhere", namespace, pod(SLEEP))
    once = workload(
        "batch/v1", "Job", "once", namespace, pod("print('done')", restartPolicy="Never")
    )
    front = Declared(
        "kubernetes:core/v1:Service",
        "front",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "front", "namespace": namespace},
            "spec": {"selector": {"app": "ordered"}, "ports": [{"port": 80}]},
        },
    )
    stack.declare(ordered, everywhere, once, front)
    stack.up()
    assert live("statefulset", "ordered", namespace)["status"]["readyReplicas"] == 1
    assert live("daemonset", "everywhere", namespace)["status"]["numberAvailable"] == 1
    assert live("job", "once", namespace)["status"]["succeeded"] == 1
    slices = kubectl(
        *["-n", namespace, "get", "endpointslices", "-l", "kubernetes.io/service-name=front"],
        *["-o", "jsonpath={.items[*].endpoints[*].conditions.ready}"],
    )
    assert slices == "true"
    stack.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    stack.unchanged()


def test_a_job_that_fails_and_a_service_without_pods_tell_why(stack: Stack) -> None:
    code = "raise SystemExit('no input today')"
    failing = workload(
        *("batch/v1", "Job", "failing", stack.namespace, pod(code, restartPolicy="Never")),
        backoffLimit=0,
    )
    lonely = Declared(
        "kubernetes:core/v1:Service",
        "lonely",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "lonely", "namespace": stack.namespace},
            "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]},
        },
        {"timeout": {"create": "3s"}},
    )
    stack.declare(failing, lonely)
    told = stack.fail_up()
    assert "Job failing: it failed (BackoffLimitExceeded)" in told
    assert "no input today" in told
    assert "no pod that it selects is ready" in told
    assert "get pods -l app=nobody" in told


def test_what_the_annotation_asks_for_is_waited_for(stack: Stack) -> None:
    token = Declared(
        "kubernetes:core/v1:Secret",
        "token",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": "token",
                "namespace": stack.namespace,
                "annotations": {
                    "kubernetes.io/service-account.name": "default",
                    "pulumi.com/waitFor": "jsonpath={.data.token}",
                },
            },
        },
    )
    never = Declared(
        "kubernetes:core/v1:ConfigMap",
        "never",
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "never",
                "namespace": stack.namespace,
                "annotations": {"pulumi.com/waitFor": "jsonpath={.data.answer}=42"},
            },
        },
        {"timeout": {"create": "2s"}},
    )
    stack.declare(token, never)
    told = stack.fail_up()
    assert "is not ready within 2 s: waiting for jsonpath={.data.answer}=42" in told
    assert "ciphertext" in str(stack.state()["token"]["outputs"]["data"])
