"""Code that `components` and `watcher` share: Kubernetes API types, Pod diagnosis, settings."""
