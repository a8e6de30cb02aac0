"""The watcher as it is deployed, in a namespace of the bench's own, for drills that kill its Pods.

Kills from the node, where a container's first process can be killed: so only on the local cluster.
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
    """An address of this machine that Pods reach, and that leads nowhere else."""
    nodes = cast("list[Object]", get("nodes")["items"])
    status = cast("dict[str, list[dict[str, str]]]", nodes[0]["status"])
    return next(one["address"] for one in status["addresses"] if one["type"] == "InternalIP")


def deploy(namespace: str, broker: Node, like: str = "models") -> None:
    """Two replicas, as they stand in namespace `like`, told of another broker."""
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
    other = {
        "WATCHER_NAMESPACE": namespace,
        "WATCHER_BROKER_HOST": broker.host,
        "WATCHER_BROKER_PORT": str(broker.port),
        "WATCHER_BROKER_USER": USER,
    }
    for variable in container["env"]:
        variable.update({"value": other[variable["name"]]} if variable["name"] in other else {})
    whole = {"apiVersion": "v1", "kind": "List", "items": [*items, secret, deployment]}
    kubectl("apply", "-f-", given=json.dumps(whole))
    kubectl("-n", namespace, "rollout", "status", f"deployment/{_NAME}", "--timeout=120s")


def _copied(kind: str, namespace: str, like: str) -> Object:
    found = get("-n", like, kind, _NAME)
    found.pop("status", None)
    metadata = cast("Object", found["metadata"])
    found["metadata"] = {
        **{name: value for name, value in metadata.items() if name not in _OWN},
        "namespace": namespace,
    }
    return found


def leader(namespace: str) -> str:
    """The Pod that publishes; empty if none does."""
    lease = get("-n", namespace, "lease", _NAME)
    return str(cast("Object", lease["spec"]).get("holderIdentity", ""))


def kill(namespace: str, pod: str) -> None:
    """`kill -9` of a Pod's first process; its successor is a Pod without a back-off.

    Raises RuntimeError where it does not run on this machine.
    """
    wanted = {f"HOSTNAME={pod}".encode(), f"WATCHER_NAMESPACE={namespace}".encode()}
    found = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if wanted <= _told(folder)]
    if not found:
        raise RuntimeError(f"no process of Pod {pod} here: this machine must be its node")
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    kubectl("-n", namespace, "delete", "pod", pod, "--force", "--grace-period=0", "--wait=false")


def _told(folder: Path) -> set[bytes]:
    try:
        return set((folder / "environ").read_bytes().split(b"\0"))
    except OSError:
        return set()  # gone meanwhile
