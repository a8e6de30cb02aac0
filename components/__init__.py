"""The Pulumi program: the stack file as data, and the components."""
