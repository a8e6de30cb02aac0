"""Benchmarks and drills of the watcher: a real API server, a RabbitMQ and processes of our own."""
