"""The images of a lost Pulumi state, which no plugin imports. Pure.

The preview says how each image would be built, the Deployments which digest runs: so nothing is
built again, which would have another digest. A harness runs nowhere by itself; it is identified by
its tag, which is made of its content and never moves.
"""

import copy
import uuid
from collections.abc import Mapping
from typing import cast

from components.cluster_state.state import Object

_IMAGE = "docker:index/image:Image"
_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
_HARNESS = "HARNESS"
"""The build argument that names the image a version stands on."""

Resource = dict[str, object]


def with_images(preview: Object, state: Object) -> tuple[Resource, list[str]]:
    """The state with an entry for each image, and the names of those that run nowhere."""
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
    """The image as if it had been pushed: inputs as the program has them, outputs as the plugin."""
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
    """The plugin's default provider, which an import without images did not need."""
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
    """A Deployment's name and its image."""
    outputs = cast("dict[str, dict[str, dict[str, dict[str, object]]]]", deployment["outputs"])
    containers = cast("list[dict[str, str]]", outputs["spec"]["template"]["spec"]["containers"])
    return _last(deployment["urn"]), containers[0]["image"]


def _is(resource: Resource, token: str) -> bool:
    return resource["type"] == token


def _on_harness(image: Resource) -> bool:
    """Whether an image is a version's."""
    inputs = cast("dict[str, dict[str, dict[str, object]]]", image["inputs"])
    return _HARNESS in inputs["build"]["args"]


def _name(image: Resource) -> str:
    return str(cast("dict[str, object]", image["inputs"])["imageName"])


def _digits(image: Resource) -> str:
    """The harness's digits, with which its tag ends and that of each version on it."""
    return _name(image).rpartition(":")[2].rpartition("-")[2]


def _last(urn: object) -> str:
    return str(urn).rpartition("::")[2]
