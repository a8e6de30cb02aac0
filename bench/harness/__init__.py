"""Benchmarks of the harness: against the bare server, against its peers, and under attack."""
