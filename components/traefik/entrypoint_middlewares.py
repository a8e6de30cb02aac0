"""Middlewares of the entry points: security headers and rate limit, for every model.

Routes do not name them. Traefik creates one instance for each router: a rate is
counted per client, route and Traefik, and restarts at each change of any route. It slows down a
flooding client, and is not a quota.

The size of bodies is not limited here: Traefik's `buffering` would also buffer every response,
including the event stream of the status API. Routes limit bodies that they buffer (`routes`), and
the harness limits all bodies.
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
        # the client's address, which a load balancer passes in its PROXY header
        by_client = {"sourceCriterion": {"ipStrategy": {"depth": 0}}}
        middlewares.append(TraefikObject("Middleware", RATE, {"rateLimit": {**limit, **by_client}}))
    return middlewares


def _headers(spec: IngressControllerSpec) -> dict[str, object]:
    """Return headers against MIME sniffing, framing and referrer leaks."""
    headers: dict[str, object] = {}
    if spec.security_headers:
        headers = {"contentTypeNosniff": True, "frameDeny": True, "referrerPolicy": "no-referrer"}
    if spec.hsts_seconds is not None:
        # forced: the load balancer terminates TLS, so Traefik sees plain HTTP
        headers |= {"stsSeconds": spec.hsts_seconds, "forceSTSHeader": True}
    return headers


def arguments(namespace: str, spec: IngressControllerSpec) -> list[str]:
    """Return the CLI arguments that attach the middlewares to the entry points."""
    redirect = "--entrypoints.plain.http.redirections.entrypoint"
    names = [f"{namespace}_{item.name}@kubernetescrd" for item in objects(spec)]
    return [
        *([f"--entrypoints.web.http.middlewares={','.join(names)}"] if names else []),
        # redirect plain HTTP to HTTPS with 301 or 308
        f"{redirect}.to=:443",
        f"{redirect}.scheme=https",
        f"{redirect}.permanent=true",
    ]
