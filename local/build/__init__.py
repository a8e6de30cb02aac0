"""Programs and images of the local stack, from package registries, once per version."""
