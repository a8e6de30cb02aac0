"""Takes Traefik's resource definitions from its Go module; the program would fetch them by URL."""

from __future__ import annotations

import shutil

from local import versions
from local.paths import Paths
from local.tools import build

_FILE = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"


def keep_definitions(paths: Paths) -> None:
    """Put the file where the program looks first; the program checks its digest."""
    target = paths.cache / f"traefik-definitions-{versions.TRAEFIK}.yaml"
    if not target.exists():
        source = build.module_folder(paths, "github.com/traefik/traefik/v3", versions.TRAEFIK)
        fresh = target.with_suffix(".partial")
        shutil.copyfile(source / _FILE, fresh)
        fresh.rename(target)
