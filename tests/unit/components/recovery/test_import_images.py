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


def made(found: Any) -> dict[str, dict[str, Any]]:
    resources = found["deployment"]["resources"]
    return {each["urn"].rpartition("::")[2]: each for each in resources}


def test_model_image_gets_digest_of_running_deployment() -> None:
    found, missing = with_images({"steps": [HARNESS, VERSION]}, state(("iris-v1", DIGEST)))
    entry = next(
        each for each in found["deployment"]["resources"] if each["urn"].endswith("Image::iris-v1")
    )
    assert missing == []
    assert entry["outputs"]["repoDigest"] == DIGEST
    assert entry["id"] == "registry.test/models/iris:v1-ccc-aaa"


def test_model_image_references_harness_image_of_its_tag() -> None:
    other = image("harness-r", "harness_r:bbb")
    found, _ = with_images({"steps": [other, HARNESS, VERSION]}, state(("iris-v1", DIGEST)))
    entry = made(found)["iris-v1"]
    harness = made(found)["harness-python"]["outputs"]["repoDigest"]
    assert entry["inputs"]["build"]["args"] == {"HARNESS": harness}
    assert harness == "registry.test/models/harness_python:aaa"


def test_version_stands_on_harness_with_release_in_tag() -> None:
    newer = image("harness-python-3.13", "harness_python:3.13-bbb")
    version = image("iris-v1", "iris:v1-ccc-bbb", HARNESS="[unknown]")
    found, _ = with_images({"steps": [HARNESS, newer, version]}, state(("iris-v1", DIGEST)))
    arguments = made(found)["iris-v1"]["inputs"]["build"]["args"]
    assert arguments == {"HARNESS": "registry.test/models/harness_python:3.13-bbb"}


def test_default_provider_is_listed_once_before_its_resources() -> None:
    found, _ = with_images({"steps": [HARNESS, VERSION]}, state(("iris-v1", DIGEST)))
    resources: Any = found["deployment"]["resources"]
    types = [each["type"] for each in resources]
    assert types[1:] == ["pulumi:providers:docker", *["docker:index/image:Image"] * 2]
    assert resources[1]["inputs"]["version"] == "5.2.0"
    assert resources[2]["provider"] == f"{PROVIDER}::{resources[1]['id']}"


def test_version_without_deployment_is_omitted() -> None:
    given = state()
    found, missing = with_images({"steps": [HARNESS, VERSION]}, given)
    assert missing == ["iris-v1"]
    assert "iris-v1" not in made(found)
    assert given == state(), "what was given is not touched"
