"""`python -m local.plugins.aws <engine address>`: what the launcher runs."""

from __future__ import annotations

from local.plugins.aws.configuration import Configured
from local.plugins.aws.resources import AwsResources
from local.plugins.engine import Engine
from local.plugins.service import serve
from local.plugins.versions import version_of


def main() -> None:
    """Serve until the engine is done."""
    configured = Configured()
    serve(version_of("aws"), configured, AwsResources(configured), Engine())


if __name__ == "__main__":
    main()
