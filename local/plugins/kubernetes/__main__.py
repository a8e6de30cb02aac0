"""`python -m local.plugins.kubernetes <engine address>`: what the launcher runs."""

from __future__ import annotations

from local.plugins.engine import Engine
from local.plugins.kubernetes.configuration import Configured
from local.plugins.kubernetes.resources import KubernetesResources
from local.plugins.service import serve
from local.plugins.versions import version_of


def main() -> None:
    """Serve until the engine is done."""
    configured, engine = Configured(), Engine()
    serve(version_of("kubernetes"), configured, KubernetesResources(configured, engine), engine)


if __name__ == "__main__":
    main()
