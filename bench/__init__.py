"""Benchmarks: they print figures; tests check behavior."""
