"""The docker client: build, push, inspect."""

import asyncio
import json
import os
import re
import shutil
from collections import deque
from pathlib import Path

from local.pulumi.plugins.docker.image import Image
from local.pulumi.plugins.resource import PluginError, Report

TAIL_LINES = 30
"""Of a failed command's output, in its error."""
_LONGEST_LINE_BYTES = 1 << 20

_STEP = re.compile(r"#\d+ \[|Step \d+/|[0-9a-f]{12}: Push|#\d+ (?:exporting|naming)")


def executable() -> str:
    """Return DOCKER_CLI, Debian's client (it has BuildKit built in), or the one on PATH."""
    debian = Path("/usr/bin/docker")
    client = os.environ.get("DOCKER_CLI") or (
        str(debian) if debian.exists() else shutil.which("docker")
    )
    if not client:
        raise PluginError("No docker client on this machine; install docker or set DOCKER_CLI.")
    return client


def build_command(image: Image) -> list[str]:
    """Return `docker build`; it reads the values of build arguments from its environment."""
    command = [executable(), "build", "--tag", image.name, "--file", str(image.dockerfile)]
    command += ["--platform", image.platform, "--progress", "plain"]
    if image.network:
        command += ["--network", image.network]
    for key in sorted(image.args):
        command += ["--build-arg", key]
    return [*command, str(image.context)]


async def run(command: list[str], environment: dict[str, str], report: Report, doing: str) -> str:
    """Return the command's output. Raise PluginError with its last lines if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE_BYTES,
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
        tail = "\n".join(f"  {line}" for line in list(lines)[-TAIL_LINES:])
        raise PluginError(f"{doing} failed (exit code {code}):\n{tail}")
    return "\n".join(lines)


async def repo_digest(image: Image, environment: dict[str, str], report: Report) -> str:
    """Return `repository@sha256:...` of the pushed image."""
    command = [executable(), "image", "inspect", "--format", "{{json .RepoDigests}}", image.name]
    output = await run(command, environment, report, f"Inspecting {image.name}")
    digests: list[str] = json.loads(output) or []
    for digest in digests:
        if digest.startswith(f"{image.repository}@"):
            return digest
    raise PluginError(f"{image.name} was pushed, but Docker has no digest of it: {digests}.")
