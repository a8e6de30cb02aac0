"""A version on the running stack that is made and changed within seconds, by the cluster alone.

Its Deployment carries a model's labels, so the watcher takes it for one; no route leads to it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

from tests.support import local_stack
from tests.support.local_stack import Object
from tests.support.time_limits import at_most

CRASHES = "import sys; sys.stderr.write('the weights are of another flower'); sys.exit(3)"
RUNS = "import time; open('/tmp/ready', 'w').close(); time.sleep(3600)"


def _manifest(model: str, version: str, code: str) -> Object:
    name = f"{model}-{version}"
    like = local_stack.objects("deployments", "app.kubernetes.io/component=model")[0]
    owned = {"app.kubernetes.io/name": model, "app.kubernetes.io/version": version}
    labels = {
        **owned,
        "app.kubernetes.io/component": "model",
        "app.kubernetes.io/part-of": "model-deployment",
        "app.kubernetes.io/managed-by": "tests",
    }
    spec = like["spec"]["template"]["spec"]
    (image,) = (item["image"] for item in spec["containers"])
    container = {
        "name": "model",
        "image": image,
        "command": ["python", "-c", code],
        "readinessProbe": {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": owned},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                },
            },
        },
    }


def put(model: str, version: str, code: str) -> None:
    """Make it, or let it run other code."""
    text = json.dumps(_manifest(model, version, code))
    local_stack.kubectl_with(text, "apply", "--filename=-")


def in_back_off(model: str, version: str) -> bool:
    """Whether kubelet makes its container wait."""
    selector = f"app.kubernetes.io/name={model},app.kubernetes.io/version={version}"
    reasons = [
        container["state"].get("waiting", {}).get("reason")
        for pod in local_stack.objects("pods", selector)
        for container in pod["status"].get("containerStatuses", [])
    ]
    return "CrashLoopBackOff" in reasons


@contextlib.contextmanager
def cleaned_up(model: str, version: str) -> Iterator[None]:
    """Whatever the block puts there goes at its end, and so does what the watcher knows of it."""
    try:
        yield
    finally:
        name = f"{model}-{version}"
        local_stack.kubectl("delete", "deployment", name, "--ignore-not-found")
        local_stack.kubectl("wait", "--for=delete", f"deployment/{name}", "--timeout=30s")
        end = time.monotonic() + at_most(30)
        while not _end_is_told(name):  # until then the watcher would recreate the record
            assert time.monotonic() < end, f"the end of {name} is not told"
            time.sleep(0.3)
        local_stack.kubectl("delete", "lease", name)


def _end_is_told(name: str) -> bool:
    lease = json.loads(local_stack.kubectl("get", "lease", name, "-o", "json"))
    record = json.loads(lease["metadata"]["annotations"]["model-deployment.io/record"])
    return record["state"] == "Deleted" and bool(record["sequence"] == record["confirmed"])
