"""Registry credentials for one build: in a folder of its own, never on a command line."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.plugins.access import mapping
from local.plugins.docker.image import Image
from local.plugins.values import Json

_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


def server_of(image: Image) -> str:
    """The registry as Docker's configuration names it."""
    given = image.server or image.name.partition("/")[0]
    host = given.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return _HUB if host in _HUB_NAMES else host


def _users_config() -> dict[str, Json]:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config: Json = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


@contextlib.contextmanager
def environment(image: Image) -> Iterator[dict[str, str]]:
    """The docker client's environment: the user's own, or with the program's credentials added."""
    variables = {**os.environ, "DOCKER_BUILDKIT": image.buildkit}
    if not (image.username and image.password):
        yield variables
        return
    server = server_of(image)
    users = _users_config()
    token = base64.b64encode(f"{image.username}:{image.password}".encode()).decode()
    helpers = {key: value for key, value in mapping(users, "credHelpers").items() if key != server}
    # Without the user's credsStore: it would be asked in place of this entry.
    config = {"auths": {**mapping(users, "auths"), server: {"auth": token}}, "credHelpers": helpers}
    with tempfile.TemporaryDirectory(prefix="docker-config-") as folder:
        file = Path(folder, "config.json")
        file.touch(mode=0o600)
        file.write_text(json.dumps(config))
        yield {**variables, "DOCKER_CONFIG": folder}
