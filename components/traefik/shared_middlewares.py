"""What all routes share in Traefik: its retries, the limits of copies, its certificate.

Names have a dot, which no model's name can hold.
"""

from dataclasses import dataclass

_NAME = "ingress-controller"

RETRY = f"{_NAME}.retry"
_RETRY_ONCE = f"{_NAME}.again"
FAILOVER_RETRY_MIDDLEWARES = (_RETRY_ONCE, RETRY)
"""Of the version that nothing stands behind: a call that its Pod died with is made once more."""

MIRROR_TRANSPORT = f"{_NAME}.mirror"
_MIRROR_HEADER_MIDDLEWARE = f"{_NAME}.mirror-mark"
_MIRROR_IN_FLIGHT = f"{_NAME}.mirror-bound"
MIRROR_MIDDLEWARES = (_MIRROR_HEADER_MIDDLEWARE, _MIRROR_IN_FLIGHT)
"""In this order: the mark is what the bound counts by."""

MIRROR_HEADER = "X-Mirror"
"""Marks a copied request, so that a model may leave out what must happen only once."""

MAX_MIRRORED_IN_FLIGHT = 32
"""Of one route in one Traefik; more are dropped. A slow mirror holds no more bodies than these."""

_ATTEMPTS = 4
_CONNECT = "1500ms"
"""Longer than one lost packet takes to be sent again (1 s)."""


@dataclass(frozen=True)
class TraefikObject:
    """One object of Traefik, without what all have in common."""

    kind: str
    name: str
    spec: dict[str, object]


def objects(longest_timeout_seconds: int) -> list[TraefikObject]:
    """All of them; Services and routes name them, so they stand first.

    A copy is waited for as long as the longest call of any model takes, `longest_timeout_seconds`.
    """
    return [
        # Only what no Pod has seen a byte of: a refused connection, whatever the method.
        TraefikObject(
            "Middleware", RETRY, {"retry": {"attempts": _ATTEMPTS, "initialInterval": "5ms"}}
        ),
        # A failover has made the call twice by then, on a Pod that died or on a kept connection to
        # it; after this pause Traefik has noticed that its connections are closed.
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
                    "maxRequestBodyBytes": -1,  # bounded before; a number is set aside at once
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
                    # always the same value, hence one count; else it would be one per host name
                    "sourceCriterion": {"requestHeaderName": MIRROR_HEADER},
                }
            },
        ),
        TraefikObject(
            "ServersTransport",
            MIRROR_TRANSPORT,
            {
                "forwardingTimeouts": {
                    "dialTimeout": _CONNECT,
                    "responseHeaderTimeout": f"{longest_timeout_seconds}s",
                }
            },
        ),
    ]


def service_annotations(namespace: str) -> dict[str, str]:
    """What a version's Service carries: every address that leads to it retries alike."""
    return {
        "traefik.ingress.kubernetes.io/service.middlewares": f"{namespace}_{RETRY}@kubernetescrd"
    }


def transport_arguments(longest_timeout_seconds: int) -> list[str]:
    """Return Traefik's settings for connections to Pods."""
    to_pods = "--serverstransport"
    return [
        # a deleted Pod's address does not respond: do not wait the default of 30 s
        f"{to_pods}.forwardingtimeouts.dialtimeout={_CONNECT}",
        # the harness responds before that; a frozen Pod does not
        f"{to_pods}.forwardingtimeouts.responseheadertimeout={longest_timeout_seconds + 10}s",
        # shorter than the harness's 120 s: the client side must close first
        f"{to_pods}.forwardingtimeouts.idleconntimeout=90s",
        f"{to_pods}.maxidleconnsperhost=200",
    ]
