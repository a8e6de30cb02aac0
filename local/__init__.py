"""The local stack: build tools and images, run a one-node cluster, deploy to it with Pulumi."""
