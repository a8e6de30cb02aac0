"""What Pulumi declares: the stack file as data, and the components made of it."""
