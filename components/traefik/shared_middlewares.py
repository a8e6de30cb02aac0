"""Objects shared by all routes: middlewares and the transport of mirrored requests.

Names have a dot, which model names cannot contain. Some words of the names of deployed objects
differ from the constants: a new name would replace the object under traffic.
"""

from dataclasses import dataclass

_NAME = "ingress-controller"

RETRY = f"{_NAME}.retry"
_RETRY_ONCE = f"{_NAME}.again"
FAILOVER_RETRY_MIDDLEWARES = (_RETRY_ONCE, RETRY)
"""For the failover version, which has no fallback itself: retry once if its Pod died."""

MIRROR_TRANSPORT = f"{_NAME}.mirror"
_MIRROR_HEADER_MIDDLEWARE = f"{_NAME}.mirror-mark"
_MIRROR_IN_FLIGHT = f"{_NAME}.mirror-bound"
MIRROR_MIDDLEWARES = (_MIRROR_HEADER_MIDDLEWARE, _MIRROR_IN_FLIGHT)
"""In this order: the limit counts requests by the header."""

MIRROR_HEADER = "X-Mirror"
"""Marks a mirrored request."""

MAX_MIRRORED_IN_FLIGHT = 32
"""Mirrored requests in flight per route and Traefik; more are dropped. It bounds the buffers."""

_ATTEMPTS = 4
CONNECTION_TIMEOUT = "1500ms"
"""Longer than the retransmission of one lost packet (1 s)."""


@dataclass(frozen=True)
class TraefikObject:
    """A Traefik object, without common metadata."""

    kind: str
    name: str
    spec: dict[str, object]


def objects(longest_timeout_seconds: int) -> list[TraefikObject]:
    """Return all shared objects, which Services and routes reference.

    Mirrored requests time out after `longest_timeout_seconds`, the longest timeout of any model.
    """
    return [
        # Only requests of which no Pod has received a byte (refused connection), any method.
        TraefikObject(
            "Middleware", RETRY, {"retry": {"attempts": _ATTEMPTS, "initialInterval": "5ms"}}
        ),
        # At this point the failover version has failed twice, on a Pod that died or on a kept-alive
        # connection to it; after this pause Traefik has noticed the closed connections. Two
        # attempts are the first one and one retry.
        TraefikObject(
            "Middleware",
            _RETRY_ONCE,
            {
                "retry": {
                    "attempts": 2,
                    "initialInterval": "50ms",
                    "status": ["502"],
                    "retryNonIdempotentMethod": True,
                    "disableRetryOnNetworkError": True,
                    "maxRequestBodyBytes": -1,  # limited before; Traefik allocates it at once
                }
            },
        ),
        TraefikObject(
            "Middleware",
            _MIRROR_HEADER_MIDDLEWARE,
            {"headers": {"customRequestHeaders": {MIRROR_HEADER: "true"}}},
        ),
        TraefikObject(
            "Middleware",
            _MIRROR_IN_FLIGHT,
            {
                "inFlightReq": {
                    "amount": MAX_MIRRORED_IN_FLIGHT,
                    # a constant value gives one counter; the default is one per host name
                    "sourceCriterion": {"requestHeaderName": MIRROR_HEADER},
                }
            },
        ),
        TraefikObject(
            "ServersTransport",
            MIRROR_TRANSPORT,
            {
                "forwardingTimeouts": {
                    "dialTimeout": CONNECTION_TIMEOUT,
                    "responseHeaderTimeout": f"{longest_timeout_seconds}s",
                }
            },
        ),
    ]


def service_annotations(namespace: str) -> dict[str, str]:
    """Return the annotations of a version's Service, so that all its routes retry alike."""
    return {
        "traefik.ingress.kubernetes.io/service.middlewares": f"{namespace}_{RETRY}@kubernetescrd"
    }
