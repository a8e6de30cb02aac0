"""`python -m local.plugins.docker <engine address>`: what the launcher runs."""

from __future__ import annotations

from local.plugins.docker.configuration import Configured
from local.plugins.docker.resources import DockerResources
from local.plugins.engine import Engine
from local.plugins.service import serve
from local.plugins.versions import version_of


def main() -> None:
    """Serve until the engine is done."""
    engine = Engine()
    serve(version_of("docker"), Configured(), DockerResources(engine), engine)


if __name__ == "__main__":
    main()
