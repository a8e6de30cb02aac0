"""Traefik's CRDs: a pinned file, downloaded once and verified by its digest."""

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import cast

import pulumi
import yaml

TRAEFIK = "v3.7.13"
"""The release whose CRDs the routes use; the image may be a newer patch release."""

API_VERSION = "traefik.io/v1alpha1"

_PATH = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"
URL = f"https://raw.githubusercontent.com/traefik/traefik/{TRAEFIK}/{_PATH}"
SHA256 = "1d5e8558803804562238b0d4a57174aadd6d87c36e3c4c55199ebcc356a9406c"

_DOWNLOAD_SECONDS = 20


def file() -> Path:
    """Return the path of the downloaded file in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "model-deployment" / f"traefik-definitions-{TRAEFIK}.yaml"


def load() -> list[dict[str, object]]:
    """Return the CRDs. Raises `pulumi.RunError` if they cannot be downloaded unchanged."""
    text = file().read_bytes() if file().exists() else b""
    if not _is_pinned(text):
        text = _download()
        file().parent.mkdir(parents=True, exist_ok=True)
        # renamed into place, since several programs may download at once
        fresh = file().with_suffix(f".{os.getpid()}")
        fresh.write_bytes(text)
        fresh.rename(file())
    # libyaml reads this quarter of a megabyte ten times faster than the pure Python loader
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast("list[dict[str, object]]", list(yaml.load_all(text, loader)))


def _is_pinned(text: bytes) -> bool:
    return hashlib.sha256(text).hexdigest() == SHA256


def _download() -> bytes:
    try:
        with urllib.request.urlopen(URL, timeout=_DOWNLOAD_SECONDS) as answer:
            text = cast("bytes", answer.read())
    except (urllib.error.URLError, TimeoutError) as error:
        raise pulumi.RunError(
            f"Traefik's definitions could not be fetched from {URL}: {error}\n"
            f"Put that file to {file()}, or run `make up` once, which takes it from a Go module."
        ) from None
    if not _is_pinned(text):
        raise pulumi.RunError(
            f"{URL} does not have the pinned digest {SHA256}; the file was discarded."
        )
    return text
