"""The images of a lost state: as the program would build them, with the digests that run."""

from __future__ import annotations

from typing import Any

from components.recovery.import_images import with_images

PREFIX = "urn:pulumi:prod::model-deployment::"
PROVIDER = f"{PREFIX}pulumi:providers:docker::default_5_2_0"
DIGEST = "registry.test/models/iris@sha256:" + "1" * 64


def image(name: str, tag: str, **arguments: str) -> dict[str, Any]:
    build = {"args": arguments, "context": "c", "dockerfile": "c/Dockerfile", "platform": "p"}
    state = {
        "urn": f"{PREFIX}docker:index/image:Image::{name}",
        "type": "docker:index/image:Image",
        "inputs": {"build": build, "imageName": f"registry.test/models/{tag}"},
        "parent": f"{PREFIX}stack",
        "provider": f"{PROVIDER}::unknown",
    }
    return {"op": "create", "newState": state}


def state(*deployments: tuple[str, str]) -> dict[str, Any]:
    resources = [
        {
            "urn": f"{PREFIX}kubernetes:apps/v1:Deployment::{name}",
            "type": "kubernetes:apps/v1:Deployment",
            "outputs": {"spec": {"template": {"spec": {"containers": [{"image": running}]}}}},
        }
        for name, running in deployments
    ]
    return {"version": 3, "deployment": {"resources": resources}}


HARNESS = image("harness-python", "harness_python:aaa")
VERSION = image("iris-v1", "iris:v1-ccc-aaa", HARNESS="[unknown]")


def entries_by_name(imported: Any) -> dict[str, dict[str, Any]]:
    resources = imported["deployment"]["resources"]
    return {resource["urn"].rpartition("::")[2]: resource for resource in resources}


def test_model_image_gets_digest_of_running_deployment() -> None:
    imported, missing = with_images({"steps": [HARNESS, VERSION]}, state(("iris-v1", DIGEST)))
    entry = next(
        resource
        for resource in imported["deployment"]["resources"]
        if resource["urn"].endswith("Image::iris-v1")
    )
    assert missing == []
    assert entry["outputs"]["repoDigest"] == DIGEST
    assert entry["id"] == "registry.test/models/iris:v1-ccc-aaa"


def test_model_image_references_harness_image_of_its_tag() -> None:
    harness_r = image("harness-r", "harness_r:bbb")
    imported, _ = with_images({"steps": [harness_r, HARNESS, VERSION]}, state(("iris-v1", DIGEST)))
    entry = entries_by_name(imported)["iris-v1"]
    harness = entries_by_name(imported)["harness-python"]["outputs"]["repoDigest"]
    assert entry["inputs"]["build"]["args"] == {"HARNESS": harness}
    assert harness == "registry.test/models/harness_python:aaa"


def test_version_stands_on_harness_with_release_in_tag() -> None:
    newer = image("harness-python-3.13", "harness_python:3.13-bbb")
    version = image("iris-v1", "iris:v1-ccc-bbb", HARNESS="[unknown]")
    imported, _ = with_images({"steps": [HARNESS, newer, version]}, state(("iris-v1", DIGEST)))
    arguments = entries_by_name(imported)["iris-v1"]["inputs"]["build"]["args"]
    assert arguments == {"HARNESS": "registry.test/models/harness_python:3.13-bbb"}


def test_default_provider_is_listed_once_before_its_resources() -> None:
    imported, _ = with_images({"steps": [HARNESS, VERSION]}, state(("iris-v1", DIGEST)))
    resources: Any = imported["deployment"]["resources"]
    types = [resource["type"] for resource in resources]
    assert types[1:] == ["pulumi:providers:docker", *["docker:index/image:Image"] * 2]
    assert resources[1]["inputs"]["version"] == "5.2.0"
    assert resources[2]["provider"] == f"{PROVIDER}::{resources[1]['id']}"


def test_version_without_deployment_is_omitted() -> None:
    deployments = state()
    imported, missing = with_images({"steps": [HARNESS, VERSION]}, deployments)
    assert missing == ["iris-v1"]
    assert "iris-v1" not in entries_by_name(imported)
    assert deployments == state(), "what was given is not touched"
