"""Benchmarks: they print figures, tests hold the behaviour."""
