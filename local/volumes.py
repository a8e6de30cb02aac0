"""The cluster's disks: a few folders of this machine, which claims get without naming a class."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from local import network
from local.paths import Paths

STORAGE_CLASS = "local"

#: More than the sample stack has, so that a test's stack gets some beside it.
COUNT = 4

#: What a volume says of itself; nobody measures it.
_CAPACITY = "8Gi"

_LABEL = "model-deployment.io/local-volume"

#: Runs kubectl with these arguments and this standard input; returns what it prints.
Kubectl = Callable[[tuple[str, ...], str | None], str]


def offer(paths: Paths, kubectl: Kubectl) -> None:
    """Make the folders, the class and the volumes; empty and offer again what was given back."""
    for folder in _folders(paths).values():
        folder.mkdir(parents=True, exist_ok=True, mode=0o770)
    listing = {"apiVersion": "v1", "kind": "List", "items": list(objects(paths))}
    kubectl(("apply", "--server-side", "-f", "-"), json.dumps(listing))
    shown = kubectl(("get", "persistentvolumes", "-l", f"{_LABEL}=true", "-o", "json"), None)
    for name in released(json.loads(shown)):
        _empty(_folders(paths)[name])
        freed = '[{"op": "remove", "path": "/spec/claimRef"}]'
        kubectl(("patch", "persistentvolume", name, "--type=json", "-p", freed), None)


def objects(paths: Paths) -> Iterator[dict[str, object]]:
    """The storage class, which is the default one, and the volumes in it."""
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
                # nobody but `offer` can empty it: without a provisioner Delete means Failed
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(folder)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
            },
        }


def released(listing: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    """Names of the volumes whose claim is gone."""
    return [
        item["metadata"]["name"]
        for item in listing["items"]
        if item.get("status", {}).get("phase") == "Released"
    ]


def _folders(paths: Paths) -> dict[str, Path]:
    """By the names of the volumes. `make clean` removes them with all other state."""
    names = [f"{STORAGE_CLASS}-{number}" for number in range(COUNT)]
    return {name: paths.state / "volumes" / name for name in names}


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
