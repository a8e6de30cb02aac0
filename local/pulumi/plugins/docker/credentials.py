"""Registry credentials for one build: in a temporary folder, never on a command line."""

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from docker import auth
from docker.utils.config import load_general_config

from local.pulumi.plugins.docker.image import Image
from local.pulumi.plugins.json_access import mapping
from local.pulumi.plugins.properties import Object


def server_of(image: Image) -> str:
    """Return the registry as Docker's configuration names it."""
    host = auth.resolve_index_name(image.server) if image.server else ""
    host = host or auth.resolve_repository_name(image.name)[0]
    return str(auth.INDEX_URL if host == auth.INDEX_NAME else host)


@contextlib.contextmanager
def environment(image: Image) -> Iterator[dict[str, str]]:
    """Give the docker client's environment, with the program's credentials if there are any."""
    if not (image.username and image.password):
        yield {**os.environ}
        return
    server = server_of(image)
    users: Object = load_general_config()
    token = base64.b64encode(f"{image.username}:{image.password}".encode()).decode()
    helpers = {key: value for key, value in mapping(users, "credHelpers").items() if key != server}
    # without the user's credsStore: it would take the place of this entry
    config = {"auths": {**mapping(users, "auths"), server: {"auth": token}}, "credHelpers": helpers}
    with tempfile.TemporaryDirectory(prefix="docker-config-") as folder:
        file = Path(folder, "config.json")
        file.touch(mode=0o600)
        file.write_text(json.dumps(config))
        yield {**os.environ, "DOCKER_CONFIG": folder}
