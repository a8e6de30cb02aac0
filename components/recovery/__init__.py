"""Import files for a lost Pulumi state."""
