"""Stand-in for pulumi-docker's Image: `docker build`, `docker push`, and the digest as output."""
