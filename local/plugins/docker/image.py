"""The arguments of an Image, checked."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from local.plugins.access import dig, mapping, text
from local.plugins.values import UNKNOWN, Object

TYPE = "docker:index/image:Image"

_KEYS = ("build", "buildOnPreview", "imageName", "registry", "skipPush")
_BUILD_KEYS = (
    "addHosts",
    "args",
    "builderVersion",
    "cacheFrom",
    "context",
    "contextDigest",
    "dockerfile",
    "network",
    "platform",
    "target",
)
_BUILDERS = {"": "1", "BuilderBuildKit": "1", "BuilderV1": "0"}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """What is to be built and where it is pushed."""

    name: str
    context: Path
    dockerfile: Path
    platform: str
    target: str
    network: str
    buildkit: str
    """The value of DOCKER_BUILDKIT."""
    args: dict[str, str]
    add_hosts: tuple[str, ...]
    cache_from: tuple[str, ...]
    skip_push: bool
    server: str
    username: str
    password: str

    @property
    def repository(self) -> str:
        """The name without its tag."""
        head, slash, last = self.name.rpartition("/")
        return head + slash + last.partition(":")[0].partition("@")[0]


def host_platform() -> str:
    """What Docker builds for where the program does not say."""
    machine = platform.machine()
    return f"linux/{_MACHINES.get(machine, machine)}"


def _strings(obj: Object, *path: str) -> tuple[str, ...]:
    value = dig(obj, *path)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def read(inputs: Object) -> Image:
    """The arguments with the official plugin's defaults."""
    build = mapping(inputs, "build")
    context = Path(text(build, "context") or ".")
    return Image(
        name=text(inputs, "imageName"),
        context=context,
        dockerfile=Path(text(build, "dockerfile") or context / "Dockerfile"),
        platform=text(build, "platform") or host_platform(),
        target=text(build, "target"),
        network=text(build, "network"),
        buildkit=_BUILDERS.get(text(build, "builderVersion"), "1"),
        args={key: str(value) for key, value in mapping(build, "args").items()},
        add_hosts=_strings(build, "addHosts"),
        cache_from=_strings(build, "cacheFrom", "images"),
        skip_push=inputs.get("skipPush") is True,
        server=text(inputs, "registry", "server"),
        username=text(inputs, "registry", "username"),
        password=text(inputs, "registry", "password"),
    )


def problems(inputs: Object) -> list[tuple[str, str]]:
    """What cannot be honoured: (property path, sentence)."""
    build = mapping(inputs, "build")
    found = [(key, "is no argument of an Image.") for key in inputs if key not in _KEYS]
    found += [
        (f"build.{key}", "the stand-in does not know this argument; use the official plugin.")
        for key in build
        if key not in _BUILD_KEYS
    ]
    if inputs.get("buildOnPreview") is True:
        reason = "the stand-in never builds at preview; set it to false or use the official plugin."
        found.append(("buildOnPreview", reason))
    builder = text(build, "builderVersion")
    if builder not in (*_BUILDERS, UNKNOWN):
        found.append(("build.builderVersion", "write BuilderBuildKit or BuilderV1."))
    if "cacheFrom" in build and not isinstance(dig(build, "cacheFrom", "images"), list):
        found.append(("build.cacheFrom", "give the images: {images: [...]}."))
    name = text(inputs, "imageName")
    if not name:
        found.append(("imageName", "an Image needs a name: registry/repository:tag."))
    elif name != UNKNOWN and inputs.get("skipPush") is not True and not _is_qualified(name):
        reason = f"{name!r} names no registry: write docker.io/{name} to push it to Docker Hub."
        found.append(("imageName", reason))
    return found


def _is_qualified(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    return bool(slash) and (domain == "localhost" or bool(re.search(r"[.:]", domain)))
