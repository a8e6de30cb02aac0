"""The arguments of an Image."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from local.pulumi.plugins.json_access import mapping, text
from local.pulumi.plugins.properties import UNKNOWN, Object

TYPE = "docker:index/image:Image"

_KEYS = ("build", "buildOnPreview", "imageName", "registry", "skipPush")
_BUILD_KEYS = ("args", "context", "contextDigest", "dockerfile", "network", "platform")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """What to build and where to push it."""

    name: str
    context: Path
    dockerfile: Path
    platform: str
    network: str
    args: dict[str, str]
    server: str
    username: str
    password: str

    @property
    def repository(self) -> str:
        """Return the name without its tag."""
        head, slash, last = self.name.rpartition("/")
        return head + slash + last.partition(":")[0].partition("@")[0]


def host_platform() -> str:
    """Return the platform that Docker builds for by default."""
    machine = platform.machine()
    return f"linux/{_MACHINES.get(machine, machine)}"


def read(inputs: Object) -> Image:
    """Return the arguments with the official plugin's defaults."""
    build = mapping(inputs, "build")
    context = Path(text(build, "context") or ".")
    return Image(
        name=text(inputs, "imageName"),
        context=context,
        dockerfile=Path(text(build, "dockerfile") or context / "Dockerfile"),
        platform=text(build, "platform") or host_platform(),
        network=text(build, "network"),
        args={key: str(value) for key, value in mapping(build, "args").items()},
        server=text(inputs, "registry", "server"),
        username=text(inputs, "registry", "username"),
        password=text(inputs, "registry", "password"),
    )


def problems(inputs: Object) -> list[tuple[str, str]]:
    """Return the unsupported arguments: (property path, reason)."""
    reason = "the stand-in does not support this argument; use the official plugin."
    failures = [(key, reason) for key in inputs if key not in _KEYS]
    failures += [
        (f"build.{key}", reason) for key in mapping(inputs, "build") if key not in _BUILD_KEYS
    ]
    reason = "the stand-in pushes what it builds, and only at an update; use the official plugin."
    failures += [(key, reason) for key in ("buildOnPreview", "skipPush") if inputs.get(key) is True]
    name = text(inputs, "imageName")
    if not name:
        failures.append(("imageName", "an Image needs a name: registry/repository:tag."))
    elif name != UNKNOWN and not _is_qualified(name):
        reason = f"{name!r} names no registry; write docker.io/{name} to push it to Docker Hub."
        failures.append(("imageName", reason))
    return failures


def _is_qualified(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    return bool(slash) and (domain == "localhost" or bool(re.search(r"[.:]", domain)))
