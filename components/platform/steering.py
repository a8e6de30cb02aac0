"""What all routes share in Traefik: its retries, the limits of copies, its certificate.

Names have a dot, which no model's name can hold.
"""

from dataclasses import dataclass

_NAME = "ingress-controller"

RETRY = f"{_NAME}.retry"
_AGAIN = f"{_NAME}.again"
LAST_RESORT_MIDDLEWARES = (_AGAIN, RETRY)
"""Of the version that nothing stands behind: a call that its Pod died with is made once more."""

COPY_TRANSPORT = f"{_NAME}.mirror"
_MARK = f"{_NAME}.mirror-mark"
_BOUND = f"{_NAME}.mirror-bound"
COPY_MIDDLEWARES = (_MARK, _BOUND)
"""In this order: the mark is what the bound counts by."""

COPY_HEADER = "X-Mirror"
"""Marks a copied request, so that a model may leave out what must happen only once."""

COPIES_AT_ONCE = 32
"""Of one route in one Traefik; more are dropped. A slow mirror holds no more bodies than these."""

_ATTEMPTS = 4
_CONNECT = "1500ms"
"""Longer than one lost packet takes to be sent again (1 s)."""


@dataclass(frozen=True)
class SharedObject:
    """One object of Traefik, without what all have in common."""

    kind: str
    name: str
    spec: dict[str, object]


def objects(call_seconds: int) -> list[SharedObject]:
    """All of them; Services and routes name them, so they stand first.

    A copy is waited for as long as the longest call of any model takes, `call_seconds`.
    """
    return [
        # Only what no Pod has seen a byte of: a refused connection, whatever the method.
        SharedObject(
            "Middleware", RETRY, {"retry": {"attempts": _ATTEMPTS, "initialInterval": "5ms"}}
        ),
        # A failover has made the call twice by then, on a Pod that died or on a kept connection to
        # it; after this pause Traefik has noticed that its connections are closed.
        SharedObject(
            "Middleware",
            _AGAIN,
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
        SharedObject(
            "Middleware", _MARK, {"headers": {"customRequestHeaders": {COPY_HEADER: "true"}}}
        ),
        SharedObject(
            "Middleware",
            _BOUND,
            {
                "inFlightReq": {
                    "amount": COPIES_AT_ONCE,
                    # always the same value, hence one count; else it would be one per host name
                    "sourceCriterion": {"requestHeaderName": COPY_HEADER},
                }
            },
        ),
        SharedObject(
            "ServersTransport",
            COPY_TRANSPORT,
            {
                "forwardingTimeouts": {
                    "dialTimeout": _CONNECT,
                    "responseHeaderTimeout": f"{call_seconds}s",
                }
            },
        ),
    ]


def service_annotations(namespace: str) -> dict[str, str]:
    """What a version's Service carries: every address that leads to it retries alike."""
    return {
        "traefik.ingress.kubernetes.io/service.middlewares": f"{namespace}_{RETRY}@kubernetescrd"
    }


def transport_arguments(call_seconds: int) -> list[str]:
    """Traefik's own settings for connections to Pods; `call_seconds`: the longest call."""
    to_pods = "--serverstransport"
    return [
        # a Pod's address that is gone answers nothing: do not wait the default of 30 s
        f"{to_pods}.forwardingtimeouts.dialtimeout={_CONNECT}",
        # the harness answers by itself before that; a Pod that is frozen does not
        f"{to_pods}.forwardingtimeouts.responseheadertimeout={call_seconds + 10}s",
        # less than the harness keeps one (120 s): who sends must be the one who closes
        f"{to_pods}.forwardingtimeouts.idleconntimeout=90s",
        f"{to_pods}.maxidleconnsperhost=200",
    ]
