"""`python -m local.pulumi.plugins.aws <engine address>`: what the launcher runs."""

from local.pulumi.plugins.aws.resources import AwsResources
from local.pulumi.plugins.servicer import serve

if __name__ == "__main__":
    serve("aws", AwsResources())
