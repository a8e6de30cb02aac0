"""Read the state of the cluster once per run, and compare it with the stack file."""
