"""What the cluster says of itself: read once per run, never kept. The database is there."""
