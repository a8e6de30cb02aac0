"""Check, diff, build and push of an Image."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from pathlib import Path

from local.plugins.access import mapping
from local.plugins.differences import compare
from local.plugins.docker import client, credentials, image
from local.plugins.docker.context import digest
from local.plugins.engine import Engine
from local.plugins.failures import PluginError
from local.plugins.paths import covers, parse
from local.plugins.resource import Call, Checked, Difference, Found, Resources
from local.plugins.values import (
    UNKNOWN,
    Object,
    Properties,
    Secret,
    has_secret,
    mark_like,
    reveal,
    reveal_all,
)

INPUTS = "__inputs"
_NOT_COMPARED = (("registry", "username"), ("registry", "password"))
"""They change with every login and say nothing about the image."""


class DockerResources(Resources):
    """Images, built by the docker client."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._contexts: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def check(self, call: Call) -> Checked:
        """The inputs with the context's digest, so that changed files are a change."""
        _only_images(call.type)
        inputs = reveal_all(call.inputs)
        failures = image.problems(inputs)
        if failures:
            return Checked(call.inputs, tuple(failures))
        build = mapping(inputs, "build")
        wanted = image.read(inputs)
        unknown = UNKNOWN in (build.get("context"), build.get("dockerfile"))
        found = (
            UNKNOWN
            if unknown
            else await asyncio.to_thread(digest, wanted.context, wanted.dockerfile)
        )
        inputs["build"] = {**build, "contextDigest": found, "platform": wanted.platform}
        return Checked(mark_like(inputs, call.inputs))

    async def diff(self, call: Call) -> Difference:
        """Any change builds again; nothing ever needs a new resource."""
        olds = reveal_all(call.old_inputs or _stored_inputs(call.old_state))
        ignored = [*_NOT_COMPARED, *(parse(path) for path in call.ignore_changes)]
        changes = compare(olds, reveal_all(call.inputs))
        kept = [item for item in changes if not any(covers(path, item.path) for path in ignored)]
        return Difference(tuple(kept))

    async def create(self, call: Call) -> tuple[str, Properties]:
        """Build and push; at preview only say what will be known later."""
        state = await self.update(call)
        return ("" if call.preview else image.read(reveal_all(call.inputs)).name), state

    async def update(self, call: Call) -> Properties:
        """The same as create: an image is built anew."""
        wanted = image.read(reveal_all(call.inputs))
        found = UNKNOWN if call.preview else await self._build(wanted, call)
        return _state(wanted, found, call.inputs)

    async def read(self, call: Call) -> Found | None:
        """The state as it is: like the official plugin this one reconciles nothing."""
        if not call.old_state:
            raise PluginError(
                "An Image cannot be imported: declare it, and it is built and pushed."
            )
        return Found(call.id, call.old_state, call.old_inputs)

    async def delete(self, call: Call) -> None:
        """Forget it. As with the official plugin, pushed images stay in their registry."""
        await self._engine.status(call.urn, "the image stays in its registry")

    async def _build(self, wanted: image.Image, call: Call) -> str:
        async def report(line: str) -> None:
            await self._engine.status(call.urn, line)

        secret = frozenset(key for key in wanted.args if _is_secret_arg(call.inputs, key))
        limit = call.timeout or None
        try:
            # One build at a time for each context: they may write the same layers and tags.
            async with asyncio.timeout(limit), self._contexts[wanted.context.resolve()]:
                with credentials.environment(wanted) as variables:
                    building = {**variables, **{key: wanted.args[key] for key in secret}}
                    command = client.build_command(wanted, secret)
                    await client.run(command, building, report, f"Building {wanted.name}")
                    if not wanted.skip_push:
                        push = [client.executable(), "push", wanted.name]
                        await client.run(push, variables, report, f"Pushing {wanted.name}")
                    return await client.repo_digest(wanted, variables, report)
        except TimeoutError as error:
            raise PluginError(
                f"{wanted.name} was not built and pushed in {limit:.0f} s."
            ) from error


def _only_images(token: str) -> None:
    if token != image.TYPE:
        raise PluginError(
            f"The stand-in for the docker provider serves {image.TYPE} only, not {token}. Install "
            "the official plugin to use it."
        )


def _is_secret_arg(inputs: Properties, key: str) -> bool:
    build = inputs.get("build")
    if isinstance(build, Secret):
        return True
    args = build.get("args") if isinstance(build, dict) else None
    return isinstance(args, Secret) or (isinstance(args, dict) and has_secret(args.get(key)))


def _stored_inputs(state: Properties) -> Properties:
    stored = reveal(state.get(INPUTS))
    return {**stored} if isinstance(stored, dict) else {}


def _state(wanted: image.Image, found: str, inputs: Properties) -> Properties:
    """The official plugin's outputs, and its secret copy of the inputs."""
    outputs: Object = {
        "baseImageName": wanted.name,
        "context": str(wanted.context),
        "dockerfile": os.path.relpath(wanted.dockerfile, wanted.context),
        "imageName": wanted.name,
        "platform": wanted.platform,
        "registryServer": wanted.server,
        "repoDigest": found,
    }
    return {**outputs, INPUTS: Secret(reveal_all(inputs))}
