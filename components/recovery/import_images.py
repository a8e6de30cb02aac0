"""Restore the images of a lost Pulumi state, which the provider cannot import. Pure.

The preview has the build of each image, the Deployments have the running digest. So nothing is
rebuilt, which would give another digest. A harness image has no Deployment; it is identified by its
tag, which is derived from its content and immutable.
"""

import copy
import uuid
from collections.abc import Mapping
from typing import cast

from components.cluster_state.state import Object

_IMAGE = "docker:index/image:Image"
_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
_HARNESS = "HARNESS"
"""The build argument with the base image of a version."""

Resource = dict[str, object]


def with_images(preview: Object, state: Object) -> tuple[Resource, list[str]]:
    """Return the state with an entry for each image, and the images without a Deployment."""
    completed = cast("Resource", copy.deepcopy(state))
    deployment = cast("dict[str, list[Resource]]", completed["deployment"])
    running = dict(_running(item) for item in deployment["resources"] if _is(item, _DEPLOYMENT))
    images = [
        cast("Resource", step["newState"])
        for step in cast("list[Resource]", preview["steps"])
        if step["op"] == "create" and _is(cast("Resource", step["newState"]), _IMAGE)
    ]
    harnesses = {_digits(image): _name(image) for image in images if not _on_harness(image)}
    missing: list[str] = []
    providers: dict[str, Resource] = {}
    for image in images:
        reference = running.get(_last(image["urn"]))
        if reference is None and not _on_harness(image):
            reference = _name(image)
        if reference is None:
            missing.append(_last(image["urn"]))
            continue
        provider = providers.setdefault(str(image["provider"]), _provider(str(image["provider"])))
        if provider not in deployment["resources"]:
            deployment["resources"].append(provider)
        deployment["resources"].append(_entry(image, reference, harnesses, provider))
    return completed, missing


def _entry(
    image: Resource, reference: str, harnesses: Mapping[str, str], provider: Resource
) -> Resource:
    """Return the image's state as after a push: the program's inputs, the provider's outputs."""
    inputs = cast("dict[str, object]", copy.deepcopy(image["inputs"]))
    build = cast("dict[str, object]", inputs["build"])
    arguments = cast("dict[str, object]", build["args"])
    if _HARNESS in arguments:
        arguments[_HARNESS] = harnesses[_digits(image)]
    name = _name(image)
    outputs = {
        "baseImageName": name,
        "context": build["context"],
        "dockerfile": str(build["dockerfile"]).rpartition("/")[2],
        "imageName": name,
        "platform": build["platform"],
        "registryServer": name.partition("/")[0],
        "repoDigest": reference,
    }
    return {
        "urn": image["urn"],
        "custom": True,
        "id": name,
        "type": _IMAGE,
        "inputs": inputs,
        "outputs": outputs,
        "parent": image["parent"],
        "provider": f"{provider['urn']}::{provider['id']}",
    }


def _provider(reference: str) -> Resource:
    """Return the default provider, which an import without images does not create."""
    urn = reference.rpartition("::")[0]
    version = _last(urn).removeprefix("default_").replace("_", ".")
    return {
        "urn": urn,
        "custom": True,
        "id": str(uuid.uuid4()),
        "type": "pulumi:providers:docker",
        "inputs": {"__internal": {}, "version": version},
        "outputs": {"version": version},
    }


def _running(deployment: Resource) -> tuple[str, str]:
    """Return a Deployment's name and image."""
    outputs = cast("dict[str, dict[str, dict[str, dict[str, object]]]]", deployment["outputs"])
    containers = cast("list[dict[str, str]]", outputs["spec"]["template"]["spec"]["containers"])
    return _last(deployment["urn"]), containers[0]["image"]


def _is(resource: Resource, token: str) -> bool:
    return resource["type"] == token


def _on_harness(image: Resource) -> bool:
    """Return whether an image belongs to a version."""
    inputs = cast("dict[str, dict[str, dict[str, object]]]", image["inputs"])
    return _HARNESS in inputs["build"]["args"]


def _name(image: Resource) -> str:
    return str(cast("dict[str, object]", image["inputs"])["imageName"])


def _digits(image: Resource) -> str:
    """Return the harness's hash, the suffix of its tag and of the tags of its versions."""
    return _name(image).rpartition(":")[2].rpartition("-")[2]


def _last(urn: object) -> str:
    return str(urn).rpartition("::")[2]
