"""The local cluster's disks."""

from __future__ import annotations

import json
from pathlib import Path

from local import images, versions, volumes
from local.paths import ROOT, Paths


class FakeKubectl:
    """Remembers what it was asked, and answers with volumes in some phase."""

    def __init__(self, **phases: str) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.applied: list[dict] = []
        self._items = [
            {"metadata": {"name": name.replace("_", "-")}, "status": {"phase": phase}}
            for name, phase in phases.items()
        ]

    def __call__(self, arguments: tuple[str, ...], stdin: str | None) -> str:
        self.asked.append(arguments)
        if stdin is not None:
            self.applied = json.loads(stdin)["items"]
        return json.dumps({"items": self._items})


def test_volumes_are_folders_of_the_state_which_are_there(paths: Paths) -> None:
    kubectl = FakeKubectl()
    volumes.offer(paths, kubectl)
    found = [each["spec"]["local"]["path"] for each in kubectl.applied if "spec" in each]
    assert len(found) == volumes.COUNT
    for path in found:
        assert (paths.state / "volumes") in Path(path).parents
        assert Path(path).is_dir()


def test_a_claim_gets_one_without_naming_a_class(paths: Paths) -> None:
    kubectl = FakeKubectl()
    volumes.offer(paths, kubectl)
    [storage_class] = [each for each in kubectl.applied if each["kind"] == "StorageClass"]
    name = storage_class["metadata"]["name"]
    annotations = storage_class["metadata"]["annotations"]
    assert annotations == {"storageclass.kubernetes.io/is-default-class": "true"}
    others = [each["spec"]["storageClassName"] for each in kubectl.applied if "spec" in each]
    assert set(others) == {name}


def test_what_was_given_back_is_emptied_and_offered_again_and_nothing_else(paths: Paths) -> None:
    for name in ("local-0", "local-1"):
        inside = paths.state / "volumes" / name / "mnesia"
        inside.mkdir(parents=True)
        (inside / "events").write_text("kept")
        (inside.parent / ".erlang.cookie").write_text("kept")
    kubectl = FakeKubectl(local_0="Released", local_1="Bound")
    volumes.offer(paths, kubectl)
    assert list((paths.state / "volumes/local-0").iterdir()) == []
    assert (paths.state / "volumes/local-1/mnesia/events").read_text() == "kept"
    patched = [asked[2] for asked in kubectl.asked if asked[0] == "patch"]
    assert patched == ["local-0"]


def test_the_local_stack_s_rabbitmq_is_an_image_that_is_made_here() -> None:
    assert f"image: {versions.RABBITMQ_IMAGE} " in (ROOT / "stacks/Pulumi.local.yaml").read_text()
    assert f"library/{versions.RABBITMQ_IMAGE}" in {image.name for image in images.IMAGES}
