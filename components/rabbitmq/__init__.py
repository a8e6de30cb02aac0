"""RabbitMQ: the broker, its settings and its users."""
