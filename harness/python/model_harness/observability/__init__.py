"""Logs, metrics, health and the termination message."""
