"""The watcher: follows the versions of a namespace, tells RabbitMQ and people what became of them.

Its own program and image. What it shares with the rest is labels, annotations and HTTP.
"""
