"""Check, diff, build and push of an Image."""

import asyncio
import dataclasses
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pulumi.runtime.rpc import wrap_rpc_secret

from local.pulumi.plugins.docker import client, credentials, image
from local.pulumi.plugins.docker.context import digest
from local.pulumi.plugins.json_access import mapping
from local.pulumi.plugins.properties import UNKNOWN, Object
from local.pulumi.plugins.resource import (
    Checked,
    Current,
    Difference,
    PluginError,
    ResourceRequest,
    Resources,
)

_SETTINGS_OF_THE_ENGINE = ("version", "pluginDownloadURL", "pluginChecksums")
_EMPTY = ("", "[]", "{}", "null")
_INPUTS = "__inputs"


class DockerResources(Resources):
    """Images, built by the docker client."""

    def __init__(self) -> None:
        self._contexts: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Apply the daemon's address; the docker client reads it from the environment."""
        for name, value in settings.items():
            key = name.removeprefix("docker:config:")
            if key == "host":
                os.environ["DOCKER_HOST"] = value
            elif key not in _SETTINGS_OF_THE_ENGINE and value not in _EMPTY:
                raise PluginError(
                    f"docker:{key}: the stand-in does not support it; configure the docker client "
                    "instead, or use the official plugin."
                )

    async def check(self, request: ResourceRequest) -> Checked:
        """Add the context's digest to the inputs, so that changed files are a change."""
        if request.type != image.TYPE:
            raise PluginError(
                f"The stand-in for the docker provider serves {image.TYPE} only, not "
                f"{request.type}. Install the official plugin to use it."
            )
        failures = image.problems(request.inputs)
        if failures:
            return Checked(request.inputs, tuple(failures))
        build, target = mapping(request.inputs, "build"), image.read(request.inputs)
        if UNKNOWN in (build.get("context"), build.get("dockerfile")):
            content = UNKNOWN
        else:
            content = await asyncio.to_thread(digest, target.context, target.dockerfile)
        build = {**build, "contextDigest": content, "platform": target.platform}
        return Checked({**request.inputs, "build": build})

    async def diff(self, request: ResourceRequest) -> Difference:
        """Compare all but credentials, which change with every login."""
        old = request.old_inputs or mapping(request.old_state, _INPUTS)
        return await super().diff(
            dataclasses.replace(
                request, old_inputs=_without_login(old), inputs=_without_login(request.inputs)
            )
        )

    async def create(self, request: ResourceRequest) -> tuple[str, Object]:
        """Build and push."""
        state = await self.update(request)
        return ("" if request.preview else image.read(request.inputs).name), state

    async def update(self, request: ResourceRequest) -> Object:
        """Build and push again."""
        target = image.read(request.inputs)
        reference = UNKNOWN if request.preview else await self._build(target, request)
        return _state(target, reference, request.inputs)

    async def read(self, request: ResourceRequest) -> Current | None:
        """Return the state: like the official plugin this one does not look at the registry."""
        if not request.old_state:
            raise PluginError(
                "An Image cannot be imported: declare it, and it is built and pushed."
            )
        return Current(request.old_state, request.old_inputs)

    async def delete(self, request: ResourceRequest) -> None:
        """Do nothing: like with the official plugin, pushed images stay in their registry."""

    async def _build(self, target: image.Image, request: ResourceRequest) -> str:
        limit = request.timeout or None
        try:
            # One build at a time for each context: they may write the same layers and tags.
            async with asyncio.timeout(limit), self._contexts[target.context.resolve()]:
                with credentials.environment(target) as variables:
                    build, push = client.build_command(target), [client.executable(), "push"]
                    arguments = {**variables, **target.args}
                    await client.run(build, arguments, request.report, f"Building {target.name}")
                    push.append(target.name)
                    await client.run(push, variables, request.report, f"Pushing {target.name}")
                    return await client.repo_digest(target, variables, request.report)
        except TimeoutError as error:
            raise PluginError(
                f"{target.name} was not built and pushed in {limit:.0f} s."
            ) from error


def _without_login(inputs: Object) -> Object:
    server = {"server": mapping(inputs, "registry").get("server")}
    return {**inputs, "registry": server}


def _state(target: image.Image, reference: str, inputs: Object) -> Object:
    """Return the official plugin's outputs, and its secret copy of the inputs."""
    return {
        "baseImageName": target.name,
        "context": str(target.context),
        "dockerfile": os.path.relpath(target.dockerfile, target.context),
        "imageName": target.name,
        "platform": target.platform,
        "registryServer": target.server,
        "repoDigest": reference,
        _INPUTS: wrap_rpc_secret(inputs),
    }
