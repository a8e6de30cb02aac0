"""The AWS components of a stack."""
