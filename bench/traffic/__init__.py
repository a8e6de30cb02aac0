"""Benchmarks of routes under load, in a separate namespace with a separate Traefik."""
