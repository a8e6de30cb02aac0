"""The pool of R processes."""
