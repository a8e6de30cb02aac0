"""Serves R functions: the HTTP server of `model_harness` with a pool of R processes."""
