"""Bind request values to the arguments of the function."""
