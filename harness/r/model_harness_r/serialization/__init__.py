"""R's binary serialization format."""
