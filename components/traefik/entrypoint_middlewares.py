"""Middlewares of the entry points: security headers and rate limit, for every model.

Routes do not name them. Traefik creates one instance for each router: a rate is counted
by client, address of a model and Traefik, and restarts from
each change of any route on. It holds back a client that floods, and is no quota.

There is no limit of bodies here: Traefik's would hold back every answer until it is whole, the
status's stream of events, too. Bodies are limited where they are held (`traffic`) and by the
harness, which reads no more than its limit.
"""

from components.config import IngressControllerSpec
from components.traefik.shared_middlewares import TraefikObject

_NAME = "ingress-controller"
HEADERS = f"{_NAME}.headers"
RATE = f"{_NAME}.rate"


def objects(spec: IngressControllerSpec) -> list[TraefikObject]:
    """Return the configured middlewares, in the order in which a request passes them."""
    middlewares: list[TraefikObject] = []
    if headers := _headers(spec):
        middlewares.append(TraefikObject("Middleware", HEADERS, {"headers": headers}))
    if spec.rate_limit is not None:
        limit = {"average": spec.rate_limit.average, "burst": spec.rate_limit.burst}
        # the client's own address, also behind a load balancer: its PROXY header names it
        by_client = {"sourceCriterion": {"ipStrategy": {"depth": 0}}}
        middlewares.append(TraefikObject("Middleware", RATE, {"rateLimit": {**limit, **by_client}}))
    return middlewares


def _headers(spec: IngressControllerSpec) -> dict[str, object]:
    """Answers are data, or the status's page: no browser may guess, frame or tell on."""
    headers: dict[str, object] = {}
    if spec.security_headers:
        headers = {"contentTypeNosniff": True, "frameDeny": True, "referrerPolicy": "no-referrer"}
    if spec.hsts_seconds is not None:
        # forced: TLS has ended before Traefik, which itself sees plain requests
        headers |= {"stsSeconds": spec.hsts_seconds, "forceSTSHeader": True}
    return headers


def arguments(namespace: str, spec: IngressControllerSpec) -> list[str]:
    """Return the CLI arguments that attach the middlewares to the entry points."""
    redirect = "--entrypoints.plain.http.redirections.entrypoint"
    names = [f"{namespace}_{item.name}@kubernetescrd" for item in objects(spec)]
    return [
        *([f"--entrypoints.web.http.middlewares={','.join(names)}"] if names else []),
        # whatever comes in by plain HTTP is sent to HTTPS, 301 or 308
        f"{redirect}.to=:443",
        f"{redirect}.scheme=https",
        f"{redirect}.permanent=true",
    ]
