"""Traefik's static configuration, as arguments, each with its reason.

The access log stays off: it halves the throughput, and metrics tell rates and latencies.
"""

from collections.abc import Sequence

from components import ports
from components.traefik.shared_middlewares import transport_arguments

READY = "/_ready"

REQUEST_ACCEPT_GRACE_SECONDS = 5
"""How long a Traefik that ends still accepts: until every node has forgotten it."""

BODY_SECONDS = 120
"""How long a request may take to arrive: as long as the harness waits for it."""

_HEAP_SHARE = 0.8
"""Of its memory; the rest is for what Go does not count."""


def drain_seconds(longest_timeout_seconds: int) -> int:
    """How long a Traefik that accepts no more waits for answers, the longest call's included."""
    return longest_timeout_seconds + 5


def grace_seconds(longest_timeout_seconds: int) -> int:
    """How long its Pod may take to end."""
    return REQUEST_ACCEPT_GRACE_SECONDS + drain_seconds(longest_timeout_seconds) + 5


def environment(memory_bytes: int) -> dict[str, str]:
    """Return the settings of Traefik's garbage collector for this memory limit.

    Every change of a route rebuilds the configuration: a tenth of that is collecting the one
    before. It is left lying for longer while there is memory, and not when there is none.
    """
    return {"GOGC": "400", "GOMEMLIMIT": str(int(memory_bytes * _HEAP_SHARE))}


def cli_arguments(
    namespace: str, class_name: str, longest_timeout_seconds: int, trusted_ips: Sequence[str] = ()
) -> list[str]:
    """The command line of a Traefik that serves one namespace.

    `longest_timeout_seconds` is the longest of any model; all other timeouts derive from it.
    Traefik accepts PROXY headers from the ranges in `trusted_ips`.

    Without `ingressendpoint`: it would first write the same address into each new Ingress, five a
    second, and serve none of them before that is done.
    """
    web = "--entrypoints.web"
    ingress = "--providers.kubernetesingress"
    routes = "--providers.kubernetescrd"
    return [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.format=json",
        *(f"--entrypoints.{name}.address=:{port}" for name, port in ports.TRAEFIK.items()),
        # else every Ingress is also answered at the port of the metrics, and built twice
        f"{web}.asdefault=true",
        f"{web}.transport.lifecycle.requestacceptgracetimeout={REQUEST_ACCEPT_GRACE_SECONDS}s",
        f"{web}.transport.lifecycle.gracetimeout={drain_seconds(longest_timeout_seconds)}s",
        f"{web}.transport.respondingtimeouts.readtimeout={BODY_SECONDS}s",
        # the load balancer's checks of the ping have the header, too
        *(
            f"--entrypoints.{name}.proxyprotocol.trustedips={','.join(trusted_ips)}"
            for name in ("web", "traefik")
            if trusted_ips
        ),
        *transport_arguments(longest_timeout_seconds),
        "--ping=true",
        "--metrics.prometheus=true",
        "--metrics.prometheus.entrypoint=metrics",
        # routes change within milliseconds; bursts are still taken together
        "--providers.providersthrottleduration=50ms",
        ingress,
        f"{ingress}.namespaces={namespace}",
        f"{ingress}.ingressclass={class_name}",
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


def ready_route(ingress_service: str) -> dict[str, object]:
    """The route of Traefik's readiness; all requests go to the ping, none to the other service."""
    return {
        "entryPoints": ["traefik"],
        "routes": [
            {
                "kind": "Rule",
                "match": f"Path(`{READY}`)",
                "priority": 1000,
                "services": [
                    {"kind": "TraefikService", "name": "ping@internal", "weight": 1},
                    {"kind": "TraefikService", "name": ingress_service, "weight": 0},
                ],
            }
        ],
    }
