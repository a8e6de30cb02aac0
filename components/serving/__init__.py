"""Components per model: image, version, autoscaler, route."""
