"""What a preview costs per version, against a bare loop that registers the same resources."""
