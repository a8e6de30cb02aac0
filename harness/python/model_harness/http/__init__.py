"""The HTTP server: routing, bodies, tokens and responses."""
