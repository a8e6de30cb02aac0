"""What stands once per stack."""
