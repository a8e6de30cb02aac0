"""Checks across the keys of a stack file."""
