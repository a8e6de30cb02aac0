"""Local PersistentVolumes."""

from __future__ import annotations

import json
from pathlib import Path

from local import versions
from local.build import images
from local.node import volumes
from local.paths import ROOT, Paths


class FakeKubectl:
    """Records its calls and returns volumes in the given phases."""

    def __init__(self, **phases: str) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.applied: list[dict] = []
        self._items = [
            {"metadata": {"name": name.replace("_", "-")}, "status": {"phase": phase}}
            for name, phase in phases.items()
        ]

    def __call__(self, arguments: tuple[str, ...], stdin: str | None) -> str:
        self.calls.append(arguments)
        if stdin is not None:
            self.applied = json.loads(stdin)["items"]
        return json.dumps({"items": self._items})


def test_volumes_are_existing_folders_of_the_state(paths: Paths) -> None:
    kubectl = FakeKubectl()
    volumes.provision(paths, kubectl)
    folders = [item["spec"]["local"]["path"] for item in kubectl.applied if "spec" in item]
    assert len(folders) == volumes.VOLUME_COUNT
    for path in folders:
        assert (paths.state / "volumes") in Path(path).parents
        assert Path(path).is_dir()


def test_storage_class_is_the_default(paths: Paths) -> None:
    kubectl = FakeKubectl()
    volumes.provision(paths, kubectl)
    [storage_class] = [item for item in kubectl.applied if item["kind"] == "StorageClass"]
    name = storage_class["metadata"]["name"]
    annotations = storage_class["metadata"]["annotations"]
    assert annotations == {"storageclass.kubernetes.io/is-default-class": "true"}
    classes = {item["spec"]["storageClassName"] for item in kubectl.applied if "spec" in item}
    assert classes == {name}


def test_released_volume_is_emptied_and_made_available(paths: Paths) -> None:
    for name in ("local-0", "local-1"):
        inside = paths.state / "volumes" / name / "mnesia"
        inside.mkdir(parents=True)
        (inside / "events").write_text("kept")
        (inside.parent / ".erlang.cookie").write_text("kept")
    kubectl = FakeKubectl(local_0="Released", local_1="Bound")
    volumes.provision(paths, kubectl)
    assert list((paths.state / "volumes/local-0").iterdir()) == []
    assert (paths.state / "volumes/local-1/mnesia/events").read_text() == "kept"
    patched = [call[2] for call in kubectl.calls if call[0] == "patch"]
    assert patched == ["local-0"]


def test_rabbitmq_image_of_local_stack_is_built_locally() -> None:
    assert f"image: {versions.RABBITMQ_IMAGE} " in (ROOT / "stacks/Pulumi.local.yaml").read_text()
    assert f"library/{versions.RABBITMQ_IMAGE}" in {image.name for image in images.IMAGES}
