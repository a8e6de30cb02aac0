"""What stands once per model."""
