"""Deploy the watcher into a separate namespace, for drills that kill its Pods.

The drills kill a container's first process from the node, so they need the local cluster.
"""

import base64
import json
import os
import signal
from pathlib import Path
from typing import cast

from bench.events.broker import USER, Node
from bench.traffic.cluster import get, kubectl

_NAME = "deployment-watcher"
_OWN = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields")
Object = dict[str, object]


def address_of_node() -> str:
    """Return the address of this machine that Pods reach."""
    nodes = cast("list[Object]", get("nodes")["items"])
    status = cast("dict[str, list[dict[str, str]]]", nodes[0]["status"])
    return next(
        address["address"] for address in status["addresses"] if address["type"] == "InternalIP"
    )


def deploy(namespace: str, broker: Node, like: str = "models") -> None:
    """Copy the two replicas of namespace `like`, with the settings of another broker."""
    items = [_copied(kind, namespace, like) for kind in ("serviceaccount", "role", "rolebinding")]
    subjects = cast("list[Object]", items[-1]["subjects"])
    subjects[0]["namespace"] = namespace
    password = base64.b64encode(broker.password.encode()).decode()
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "message-broker", "namespace": namespace},
        "data": {"watcher-password": password},
    }
    deployment = _copied("deployment", namespace, like)
    template = cast("dict[str, dict[str, Object]]", deployment["spec"])["template"]
    (container,) = cast("list[dict[str, list[dict[str, str]]]]", template["spec"]["containers"])
    settings = {
        "WATCHER_NAMESPACE": namespace,
        "WATCHER_BROKER_HOST": broker.host,
        "WATCHER_BROKER_PORT": str(broker.port),
        "WATCHER_BROKER_USER": USER,
    }
    for variable in container["env"]:
        variable.update(
            {"value": settings[variable["name"]]} if variable["name"] in settings else {}
        )
    manifest = {"apiVersion": "v1", "kind": "List", "items": [*items, secret, deployment]}
    kubectl("apply", "-f-", stdin=json.dumps(manifest))
    kubectl("-n", namespace, "rollout", "status", f"deployment/{_NAME}", "--timeout=120s")


def _copied(kind: str, namespace: str, like: str) -> Object:
    item = get("-n", like, kind, _NAME)
    item.pop("status", None)
    metadata = cast("Object", item["metadata"])
    item["metadata"] = {
        **{name: value for name, value in metadata.items() if name not in _OWN},
        "namespace": namespace,
    }
    return item


def leader(namespace: str) -> str:
    """Return the name of the leader's Pod; empty without a leader."""
    lease = get("-n", namespace, "lease", _NAME)
    return str(cast("Object", lease["spec"]).get("holderIdentity", ""))


def kill(namespace: str, pod: str) -> None:
    """Kill the first process of a Pod and replace the Pod, which avoids the back-off.

    Raises RuntimeError if the Pod does not run on this machine.
    """
    variables = {f"HOSTNAME={pod}".encode(), f"WATCHER_NAMESPACE={namespace}".encode()}
    pids = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if variables <= _environment_of(folder)
    ]
    if not pids:
        raise RuntimeError(f"no process of Pod {pod} here: this machine must be its node")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    kubectl("-n", namespace, "delete", "pod", pod, "--force", "--grace-period=0", "--wait=false")


def _environment_of(folder: Path) -> set[bytes]:
    try:
        return set((folder / "environ").read_bytes().split(b"\0"))
    except OSError:
        return set()  # the process has exited
