"""Pulumi on the local cluster or on another one: environment, plugins, update and preview."""
