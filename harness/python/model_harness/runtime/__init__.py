"""Processes, threads and the calls that they run."""
