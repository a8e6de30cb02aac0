"""Common build settings of all images."""

import pulumi
import pulumi_docker as docker

PLATFORM = "linux/amd64"
"""Fixed, so that the image does not depend on the machine that builds it."""

SHORT_HASH = 12
"""Length of a hash in a tag."""


def docker_build_args(
    context: str, arguments: dict[str, pulumi.Input[str]]
) -> docker.DockerBuildArgsDict:
    """Return the build of a build context; `context` is relative to the project."""
    return {
        # relative: the provider compares the path, and clones have different paths
        "context": context,
        "dockerfile": f"{context}/Dockerfile",
        "platform": PLATFORM,
        "args": arguments,
        # package installs need the host's network where the engine has no bridge network
        "network": "host",
    }
