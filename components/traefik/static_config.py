"""Traefik's static configuration as CLI arguments, each with its reason.

The access log is off: it halves the throughput, and metrics have rates and latencies.
"""

from collections.abc import Sequence

from components import ports
from components.traefik.shared_middlewares import CONNECTION_TIMEOUT

READY = "/_ready"

REQUEST_ACCEPT_GRACE_SECONDS = 5
"""requestAcceptGraceTimeout: the time every node needs to remove the endpoint."""

READ_TIMEOUT_SECONDS = 120
"""readTimeout: equal to the harness's timeout for a body."""

_HEAP_SHARE = 0.8
"""Share of its memory; the remainder is for memory that Go does not count."""


def drain_seconds(longest_timeout_seconds: int) -> int:
    """Return graceTimeOut: the time for responses in flight, including the longest call."""
    return longest_timeout_seconds + 5


def grace_seconds(longest_timeout_seconds: int) -> int:
    """Return terminationGracePeriodSeconds of its Pod."""
    return REQUEST_ACCEPT_GRACE_SECONDS + drain_seconds(longest_timeout_seconds) + 5


def environment(memory_bytes: int) -> dict[str, str]:
    """Return the settings of Traefik's garbage collector for this memory limit.

    Every change of a route rebuilds the configuration: collecting
    the old one is a tenth of the cost. Collect less often while there is memory.
    """
    return {"GOGC": "400", "GOMEMLIMIT": str(int(memory_bytes * _HEAP_SHARE))}


def cli_arguments(
    namespace: str, class_name: str, longest_timeout_seconds: int, trusted_ips: Sequence[str] = ()
) -> list[str]:
    """Return the CLI arguments of a Traefik that serves one namespace.

    `longest_timeout_seconds` is the longest of any model; the timeouts of
    responses and of the shutdown derive from it.
    Traefik accepts PROXY headers from the ranges in `trusted_ips`.

    `ingressendpoint` is not set: Traefik would first write the address into each new Ingress, five
    per second, and serve none of them until then.
    """
    web = "--entrypoints.web"
    ingress = "--providers.kubernetesingress"
    routes = "--providers.kubernetescrd"
    return [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.format=json",
        *(f"--entrypoints.{name}.address=:{port}" for name, port in ports.TRAEFIK.items()),
        # otherwise every Ingress is also served on the metrics port, and built twice
        f"{web}.asdefault=true",
        f"{web}.transport.lifecycle.requestacceptgracetimeout={REQUEST_ACCEPT_GRACE_SECONDS}s",
        f"{web}.transport.lifecycle.gracetimeout={drain_seconds(longest_timeout_seconds)}s",
        f"{web}.transport.respondingtimeouts.readtimeout={READ_TIMEOUT_SECONDS}s",
        # the load balancer's health checks also send the PROXY header
        *(
            f"--entrypoints.{name}.proxyprotocol.trustedips={','.join(trusted_ips)}"
            for name in ("web", "traefik")
            if trusted_ips
        ),
        *_transport_arguments(longest_timeout_seconds),
        "--ping=true",
        "--metrics.prometheus=true",
        "--metrics.prometheus.entrypoint=metrics",
        # routes change within milliseconds; bursts are still combined
        "--providers.providersthrottleduration=50ms",
        ingress,
        f"{ingress}.namespaces={namespace}",
        f"{ingress}.ingressclass={class_name}",
        # a backend without a ready Pod answers 503 for its share; otherwise the route is removed
        f"{ingress}.allowemptyservices=true",
        # versions/v1 is not a prefix of versions/v10
        f"{ingress}.strictprefixmatching=true",
        routes,
        f"{routes}.namespaces={namespace}",
        f"{routes}.allowemptyservices=true",
        # one Service in two routes keeps the options of each route
        f"{routes}.safenaming=true",
    ]


def _transport_arguments(longest_timeout_seconds: int) -> list[str]:
    """Return Traefik's settings for connections to Pods."""
    to_pods = "--serverstransport"
    return [
        # a deleted Pod's address does not respond: do not wait the default of 30 s
        f"{to_pods}.forwardingtimeouts.dialtimeout={CONNECTION_TIMEOUT}",
        # the harness responds before that; a frozen Pod does not
        f"{to_pods}.forwardingtimeouts.responseheadertimeout={longest_timeout_seconds + 10}s",
        # shorter than the harness's 120 s: the client side must close first
        f"{to_pods}.forwardingtimeouts.idleconntimeout=90s",
        f"{to_pods}.maxidleconnsperhost=200",
    ]


def ready_route(ingress_service: str) -> dict[str, object]:
    """Return the readiness route; all requests go to the ping, none to the other service."""
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
