"""Serves one version of a model, a plain Python function, over HTTP (docs/adr/0003)."""

__version__ = "0.1.0"
