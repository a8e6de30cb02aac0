"""The local image registry, which containerd and dockerd use as a mirror of every other one."""

from http import HTTPStatus

import requests

REGISTRY = "localhost:5000"
_TIMEOUT_SECONDS = 5


def is_ready() -> bool:
    """Return whether the registry answers."""
    try:
        response = requests.get(f"http://{REGISTRY}/v2/", timeout=_TIMEOUT_SECONDS)
    except requests.RequestException:
        return False
    return response.status_code == HTTPStatus.OK


def has_image(name: str) -> bool:
    """Return whether the registry has a manifest of this repository and tag."""
    repository, _, tag = name.rpartition(":")
    url = f"http://{REGISTRY}/v2/{repository}/manifests/{tag}"
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    response = requests.head(url, headers=accept, timeout=_TIMEOUT_SECONDS)
    return response.status_code == HTTPStatus.OK
