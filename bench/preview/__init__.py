"""Time of a preview, compared with a bare loop that registers the same resources."""
