"""Traefik: its installation, and the routes of the models."""
