"""What the harness is worth: beside the bare server, beside its peers, and under attack."""
