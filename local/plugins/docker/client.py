"""The docker client: build, push, inspect."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from local.plugins.docker.image import Image
from local.plugins.failures import PluginError

TAIL = 30
"""Lines of a failed command that are shown."""
_LINE = 1 << 20
"""Bytes of one line of output at most."""

Report = Callable[[str], Awaitable[None]]

_STEP = re.compile(r"#\d+ \[|Step \d+/|[0-9a-f]{12}: Push|#\d+ (?:exporting|naming)")


def executable() -> str:
    """DOCKER_CLI, Debian's client (it builds with BuildKit by itself), or the one on PATH."""
    debian = Path("/usr/bin/docker")
    found = os.environ.get("DOCKER_CLI") or (
        str(debian) if debian.exists() else shutil.which("docker")
    )
    if not found:
        raise PluginError("There is no docker client: install docker, or name one in DOCKER_CLI.")
    return found


def build_command(image: Image, secret_args: frozenset[str]) -> list[str]:
    """`docker build` for the image; secret arguments come from the environment."""
    command = [executable(), "build", "--tag", image.name, "--file", str(image.dockerfile)]
    command += ["--platform", image.platform]
    if image.buildkit == "1":
        command += ["--progress", "plain"]
    if image.target:
        command += ["--target", image.target]
    if image.network:
        command += ["--network", image.network]
    for host in image.add_hosts:
        command += ["--add-host", host]
    for name in image.cache_from:
        command += ["--cache-from", name]
    for key, value in sorted(image.args.items()):
        command += ["--build-arg", key if key in secret_args else f"{key}={value}"]
    return [*command, str(image.context)]


async def run(command: list[str], environment: dict[str, str], report: Report, doing: str) -> str:
    """The command's output; `PluginError` with its last lines where it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LINE,
    )
    output = process.stdout
    if output is None:
        raise PluginError(f"{doing}: the docker client has no output")
    lines: deque[str] = deque(maxlen=2000)
    try:
        async for raw in output:
            line = raw.decode(errors="replace").rstrip()
            if line:
                lines.append(line)
            if _STEP.match(line):
                await report(line)
        code = await process.wait()
    except BaseException:
        # Cancelled or out of time: the client ends, and with it the build in the daemon.
        process.kill()
        await process.wait()
        raise
    if code != 0:
        shown = "\n".join(f"  {line}" for line in list(lines)[-TAIL:])
        raise PluginError(f"{doing} failed (exit code {code}):\n{shown}")
    return "\n".join(lines)


async def repo_digest(image: Image, environment: dict[str, str], report: Report) -> str:
    """`repository@sha256:...` of the pushed image; of a local one its id (as officially)."""
    wanted = "{{.Id}}" if image.skip_push else "{{json .RepoDigests}}"
    command = [executable(), "image", "inspect", "--format", wanted, image.name]
    answer = await run(command, environment, report, f"Inspecting {image.name}")
    if image.skip_push:
        return answer.strip()
    digests: list[str] = json.loads(answer) or []
    mine = [item for item in digests if item.startswith(f"{image.repository}@")]
    if not mine:
        raise PluginError(f"{image.name} was pushed, but Docker knows no digest of it: {digests}.")
    return mine[0]
