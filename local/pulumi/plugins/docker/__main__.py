"""`python -m local.pulumi.plugins.docker <engine address>`: what the launcher runs."""

from local.pulumi.plugins.docker.resources import DockerResources
from local.pulumi.plugins.servicer import serve

if __name__ == "__main__":
    serve("docker", DockerResources())
