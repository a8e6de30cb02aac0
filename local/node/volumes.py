"""Local PersistentVolumes in the default StorageClass: folders of this machine."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from local.node import network
from local.paths import Paths

STORAGE_CLASS = "local"

VOLUME_COUNT = 4
"""More than the sample stack uses, so that a test can deploy another stack."""

_CAPACITY = "8Gi"
"""Nominal: nothing limits the size of a folder."""

_LABEL = "model-deployment.io/local-volume"

Kubectl = Callable[[tuple[str, ...], str | None], str]
"""Runs kubectl with these arguments and this standard input; returns its output."""


def provision(paths: Paths, kubectl: Kubectl) -> None:
    """Create the StorageClass and the volumes; empty released volumes and make them available."""
    for folder in _folders(paths).values():
        folder.mkdir(parents=True, exist_ok=True, mode=0o770)
    manifest = {"apiVersion": "v1", "kind": "List", "items": list(objects(paths))}
    kubectl(("apply", "--server-side", "-f", "-"), json.dumps(manifest))
    listing = kubectl(("get", "persistentvolumes", "-l", f"{_LABEL}=true", "-o", "json"), None)
    for name in released_volumes(json.loads(listing)):
        _empty(_folders(paths)[name])
        without_claim = '[{"op": "remove", "path": "/spec/claimRef"}]'
        kubectl(("patch", "persistentvolume", name, "--type=json", "-p", without_claim), None)


def objects(paths: Paths) -> Iterator[dict[str, object]]:
    """Generate the default StorageClass and its volumes."""
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [network.NODE]}
    for name, folder in _folders(paths).items():
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "labels": {_LABEL: "true"}},
            "spec": {
                "storageClassName": STORAGE_CLASS,
                "capacity": {"storage": _CAPACITY},
                "accessModes": ["ReadWriteOnce"],
                # with Delete a released volume fails, because it has no provisioner
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(folder)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
            },
        }


def released_volumes(listing: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    """Return the names of volumes whose claim was deleted."""
    return [
        item["metadata"]["name"]
        for item in listing["items"]
        if item.get("status", {}).get("phase") == "Released"
    ]


def _folders(paths: Paths) -> dict[str, Path]:
    """Return the folder of each volume by name; `make clean` deletes them with the state."""
    names = [f"{STORAGE_CLASS}-{number}" for number in range(VOLUME_COUNT)]
    return {name: paths.state / "volumes" / name for name in names}


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
