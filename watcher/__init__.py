"""Watch the model versions of a namespace, publish state changes to RabbitMQ, serve the status.

A separate program and image. It shares labels, annotations and HTTP with the rest of the project.
"""
