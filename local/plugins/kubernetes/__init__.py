"""Stand-in for pulumi-kubernetes: any object of an API server, by server-side apply."""
