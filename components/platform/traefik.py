"""Traefik's static configuration, as arguments, each with its reason."""

PORTS = {"web": 8000, "traefik": 8080, "metrics": 9100}
"""Entry points by name: the models, Traefik's own ping, Prometheus."""

READY = "/_ready"

ACCEPT_SECONDS = 5
"""How long a Traefik that ends still accepts: until every node has forgotten it."""

DRAIN_SECONDS = 35
"""How long it then waits for answers: the longest call of a model, and a margin."""

GRACE_SECONDS = ACCEPT_SECONDS + DRAIN_SECONDS + 5


def arguments(namespace: str, class_name: str, hostname: str) -> list[str]:
    """The command line of a Traefik that serves one namespace."""
    web = "--entrypoints.web"
    ingress = "--providers.kubernetesingress"
    routes = "--providers.kubernetescrd"
    return [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.format=json",
        *(f"--entrypoints.{name}.address=:{port}" for name, port in PORTS.items()),
        f"{web}.transport.lifecycle.requestacceptgracetimeout={ACCEPT_SECONDS}s",
        f"{web}.transport.lifecycle.gracetimeout={DRAIN_SECONDS}s",
        "--ping=true",
        "--metrics.prometheus=true",
        "--metrics.prometheus.entrypoint=metrics",
        # routes change within milliseconds; bursts are still taken together
        "--providers.providersthrottleduration=50ms",
        ingress,
        f"{ingress}.namespaces={namespace}",
        f"{ingress}.ingressclass={class_name}",
        f"{ingress}.ingressendpoint.hostname={hostname}",
        # an arm without a ready Pod answers 503 for its share; without this, its route vanishes
        f"{ingress}.allowemptyservices=true",
        # versions/v1 is not a prefix of versions/v10
        f"{ingress}.strictprefixmatching=true",
        routes,
        f"{routes}.namespaces={namespace}",
        f"{routes}.allowemptyservices=true",
        # one Service under two routes keeps the options of each
        f"{routes}.safenaming=true",
    ]
