"""Container ports by name, shared by containers, Services and network policies."""

TRAEFIK = {"web": 8000, "plain": 8001, "traefik": 8080, "metrics": 9100}
"""Entry points: models, redirect to HTTPS, Traefik's ping, Prometheus."""
BROKER = {"amqp": 5672, "management": 15672, "metrics": 15692}
BROKER_CLUSTERING = {"epmd": 4369, "distribution": 25672}
WATCHER = {"http": 8080, "health": 8081}
"""The status API; health and metrics."""
MODEL = {"http": 8080, "health": 8081}
"""The harness: predictions; health and metrics on a separate port."""
