"""How every image of this project is built."""

import pulumi
import pulumi_docker as docker

PLATFORM = "linux/amd64"
"""Fixed, so that a build on another kind of machine gives the cluster the same image."""

SHORT_HASH = 12
"""Of a hash in a tag."""


def docker_build_args(
    context: str, arguments: dict[str, pulumi.Input[str]]
) -> docker.DockerBuildArgsDict:
    """The build of a staged folder; `context` is relative to the project."""
    return {
        # relative: the plugin compares the path, and clones lie anywhere
        "context": context,
        "dockerfile": f"{context}/Dockerfile",
        "platform": PLATFORM,
        "args": arguments,
        # package installs need the host's network where the engine has no bridge network
        "network": "host",
    }
