"""Objects of the cluster by kubectl, in the environment of `make env`."""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

Manifest = Mapping[str, object]

_FIELD_MANAGER = "bench-traffic"


def kubectl(*arguments: str, stdin: str = "") -> str:
    """Return the output of kubectl. Raises RuntimeError with its error."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"kubectl {' '.join(arguments[:6])}: {done.stderr.strip()}")
    return done.stdout


def get(*arguments: str) -> dict[str, object]:
    """Return an object or a list."""
    return cast("dict[str, object]", json.loads(kubectl("get", *arguments, "-o", "json")))


def apply(items: Iterable[Manifest]) -> None:
    """Apply the objects in order."""
    manifest_list = {"apiVersion": "v1", "kind": "List", "items": list(items)}
    manager = f"--field-manager={_FIELD_MANAGER}"
    kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        manager,
        "-f-",
        stdin=json.dumps(manifest_list),
    )


def delete(namespace: str, items: Sequence[Manifest]) -> None:
    """Delete the objects, the last kind first; missing objects are ignored."""
    names: dict[str, list[str]] = {}
    for item in reversed(items):
        metadata = cast("Mapping[str, str]", item["metadata"])
        names.setdefault(cast("str", item["kind"]), []).append(metadata["name"])
    for kind, kind_names in names.items():
        kubectl("-n", namespace, "delete", kind, *kind_names, "--ignore-not-found", "--wait=false")


def rolled_out(namespace: str, deployment: str, seconds: int = 180) -> None:
    """Wait for a rollout. Raises RuntimeError if it fails."""
    limit = f"--timeout={seconds}s"
    kubectl("-n", namespace, "rollout", "status", f"deployment/{deployment}", limit)


def pods(namespace: str, selector: str) -> list[str]:
    """Return the names of running Pods that are not being deleted."""
    pods = get("-n", namespace, "pods", "-l", selector)["items"]
    items = cast("list[dict[str, dict[str, object]]]", pods)
    return [
        str(item["metadata"]["name"])
        for item in items
        if item["status"].get("phase") == "Running" and "deletionTimestamp" not in item["metadata"]
    ]
