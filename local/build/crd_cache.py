"""Put Traefik's CRDs, which its Go module contains, into the cache.

`components/traefik/traefik_crds.py` declares them and downloads the file where the cache lacks it.
"""

import shutil

from local import versions
from local.build import go_tools
from local.paths import Paths

_FILE = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"


def cache_crds(paths: Paths) -> None:
    """Copy the CRDs to the file that `components` reads first and checks by digest."""
    target = paths.cache / f"traefik-definitions-{versions.TRAEFIK}.yaml"
    if not target.exists():
        source = go_tools.module_folder(paths, "github.com/traefik/traefik/v3", versions.TRAEFIK)
        partial = target.with_suffix(".partial")
        shutil.copyfile(source / _FILE, partial)
        partial.rename(target)
