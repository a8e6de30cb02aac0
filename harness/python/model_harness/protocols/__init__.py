"""The inference protocols: JSON and tensors to arguments, results to response bodies."""
