"""When an object is what was asked for, and why it will not become so."""
