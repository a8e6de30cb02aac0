"""Build the Traefik objects of a route as plain data: pure functions without Pulumi.

A request passes, from the outside in:

    rule -> mirroring service -> weighted service (sticky) -> backend of a version (failover)

- **Equal entries instead of weights.** Traefik's weighted round robin has a fixed schedule and
  restarts it at every change of any route: with few requests and many changes, the smaller backend
  of 90/10 would never have its turn. Traefik shuffles entries of equal weight, however: nine
  entries of one version and one of the other are right on average after each restart.
- **A backend is named by its version's Ingress.** One balancer per version serves all of its
  addresses. A sticky cookie is a hash of that name, so it survives changes of other backends.
- **Names of helper objects have a dot**, which no model's name can contain, so they never collide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import gcd
from typing import Literal

from components.config import LimitsSpec, RouteSpec
from components.naming import LATEST, MAIN_ROUTE, object_name
from components.traefik import shared_middlewares

SERVICE_PORT_NAME = "http"
"""The port of a version's Service."""

HEADER = "X-Model-Version"

_PRIORITY_ROUTE = 1000
_PRIORITY_VERSION = 500
"""Rules of models never overlap, but Traefik evaluates them in sequence for each request.

Rules that most requests match come first, then rules with a version, then the versions' Ingresses,
whose priority is the length of their rule. Otherwise 200 models cost up to 1,600 evaluations.
"""

_COOKIE_SECONDS = 24 * 60 * 60
"""Lifetime of a sticky cookie: a day, so that a ramp over days reaches every client."""

_FAILOVER_STATUSES = ["500-599"]
_CONNECTION_FAILED_STATUSES = ["502"]
"""Statuses that Traefik sets for a broken connection. Errors of the failover version are final."""

_MEMORY_BYTES = 64 * 1024
"""Memory for a body that is still arriving; the remainder is buffered on disk."""

_TOTAL = 100

Kind = Literal["IngressRoute", "Middleware", "TraefikService"]
Reference = dict[str, object]


@dataclass(frozen=True)
class RouteObject:
    """A Traefik object, without common metadata."""

    kind: Kind
    name: str
    spec: dict[str, object]
    carries_weights: bool = False
    """Whether the object has the weights, which are also its annotation."""


@dataclass(frozen=True)
class Route:
    """A route of a model in its namespace."""

    namespace: str
    model: str
    name: str
    spec: RouteSpec
    limits: LimitsSpec = field(default=LimitsSpec())

    @property
    def object_name(self) -> str:
        """The name of the route's objects."""
        return object_name(self.model, self.name)


def latest(namespace: str, model: str, version: str) -> list[RouteObject]:
    """Return the object of the generated route `latest`, which has a single backend."""
    route = Route(namespace, model, LATEST, RouteSpec(weights={version: _TOTAL}))
    alone = f"{_paths(route)} && (!{_any_version()} || {_version(version)})"
    rule = _rule(alone, _PRIORITY_VERSION, [version_service(namespace, model, version)])
    return [_ingress_route(route, [rule], carries_weights=True)]


def objects(route: Route) -> list[RouteObject]:
    """Return the objects of a weighted route, each after the objects that it references."""
    failovers = [_with_failover(route, version) for version in _backends(route)]
    return [
        *_body_limit(route),
        *(failovers if route.spec.failover else []),
        _weighted_service(route),
        *_mirroring_service(route),
        _ingress_route(route, _rules(route)),
    ]


def versions(spec: RouteSpec) -> set[str]:
    """Return every version that the route names."""
    return {*spec.weights, *receiving_versions(spec)}


def receiving_versions(spec: RouteSpec) -> set[str]:
    """Return the versions that receive requests by weight, as the failover or as the mirror."""
    weighted = {version for version, weight in spec.weights.items() if weight}
    mirrored = {spec.mirror.version} if spec.mirror else set()
    return {*weighted, *mirrored, *({spec.failover} if spec.failover else ())}


def version_paths(model: str, version: str) -> list[str]:
    """Return the paths of a version: all inference protocols."""
    return [f"{base}/models/{model}/versions/{version}/" for base in ("", "/v2")]


def version_service(namespace: str, model: str, version: str) -> Reference:
    """Return the service that Traefik derives from the version's Ingress."""
    name = f"{namespace}-{object_name(model, version)}-{SERVICE_PORT_NAME}@kubernetes"
    return {"kind": "TraefikService", "name": name}


def _backends(route: Route) -> list[str]:
    """Return the weighted versions and the failover version."""
    failover = route.spec.failover
    return list(dict.fromkeys([*route.spec.weights, *([failover] if failover else [])]))


def _backend(route: Route, version: str) -> Reference:
    """Return a backend of this route, with its failover if the route has one."""
    if route.spec.failover:
        return {"kind": "TraefikService", "name": f"{route.object_name}.{version}"}
    return version_service(route.namespace, route.model, version)


def _service_backend(route: Route, version: str, middlewares: Sequence[str]) -> Reference:
    """Reference a version by its Service, because only a Service can have middlewares."""
    return {
        "name": object_name(route.model, version),
        "port": SERVICE_PORT_NAME,
        "middlewares": [{"name": name} for name in middlewares],
    }


def _with_failover(route: Route, version: str) -> RouteObject:
    """Retry a failed request on the failover version, within the same client request.

    The failover version itself is retried only if its Pod died during the request.
    """
    failover = str(route.spec.failover)
    if version == failover:
        fallback = _service_backend(route, version, shared_middlewares.FAILOVER_RETRY_MIDDLEWARES)
        failed = _CONNECTION_FAILED_STATUSES
    else:
        fallback, failed = _backend(route, failover), _FAILOVER_STATUSES
    return RouteObject(
        "TraefikService",
        f"{route.object_name}.{version}",
        {
            "failover": {
                "service": version_service(route.namespace, route.model, version),
                "fallback": fallback,
                "errors": {"status": failed},
            }
        },
    )


def _equal_entries(weights: Mapping[str, int]) -> list[str]:
    """Expand `{a: 90, b: 10}` to nine entries of a and one of b."""
    divisor = reduce(gcd, weights.values())
    return [name for name, weight in weights.items() for _ in range(weight // divisor)]


def _weighted_service(route: Route) -> RouteObject:
    entries = [_backend(route, version) for version in _equal_entries(route.spec.weights)]
    weighted: dict[str, object] = {"services": [{**entry, "weight": 1} for entry in entries]}
    if route.spec.sticky:
        # One name per route: a client may use many models. Not `secure`: there is no TLS yet.
        weighted["sticky"] = {
            "cookie": {
                "name": route.object_name,
                "path": "/",
                "httpOnly": True,
                "sameSite": "lax",
                "maxAge": _COOKIE_SECONDS,
            }
        }
    return RouteObject(
        "TraefikService", route.object_name, {"weighted": weighted}, carries_weights=True
    )


def _mirroring_service_name(route: Route) -> str:
    return f"{route.object_name}.mirror"


def _mirroring_service(route: Route) -> list[RouteObject]:
    """Return the service that mirrors each request it receives; the rule selects the requests."""
    mirror = route.spec.mirror
    if not mirror:
        return []
    copy = {
        **_service_backend(route, mirror.version, shared_middlewares.MIRROR_MIDDLEWARES),
        "percent": _TOTAL,
        "serversTransport": shared_middlewares.MIRROR_TRANSPORT,
    }
    main: Reference = {"kind": "TraefikService", "name": route.object_name}
    return [
        RouteObject(
            "TraefikService",
            _mirroring_service_name(route),
            {"mirroring": {**main, "mirrors": [copy]}},
        )
    ]


def _body_limit(route: Route) -> list[RouteObject]:
    """Limit bodies, since mirror and failover buffer them.

    The middleware also buffers responses. Otherwise a chunked response of a failed backend would
    reach the client as a success.
    """
    if not (route.spec.mirror or route.spec.failover):
        return []
    limit = {
        "maxRequestBodyBytes": route.limits.body_bytes,
        "memRequestBodyBytes": min(_MEMORY_BYTES, route.limits.body_bytes),
    }
    return [RouteObject("Middleware", f"{route.object_name}.body", {"buffering": limit})]


def _rules(route: Route) -> list[dict[str, object]]:
    """Return the rules: by weight without the header, by version with it; otherwise 404."""
    limits = [item.name for item in _body_limit(route)]
    shared = _rule(
        f"{_paths(route)} && !{_any_version()}", _PRIORITY_ROUTE, _route_services(route), limits
    )
    picked = [
        _rule(
            # most requests lack the header: check it before the paths
            f"{_version(version)} && {_paths(route)}",
            _PRIORITY_VERSION,
            [_backend(route, version)],
            limits if route.spec.failover else (),
        )
        for version in route.spec.weights
    ]
    return [shared, *picked]


def _route_services(route: Route) -> list[Reference]:
    """Return the services of requests without a version header, of which some are mirrored."""
    if not route.spec.mirror:
        return [{"kind": "TraefikService", "name": route.object_name}]
    percent = route.spec.mirror.percent
    shares = {_mirroring_service_name(route): percent, route.object_name: _TOTAL - percent}
    return [{"kind": "TraefikService", "name": name} for name in _equal_entries(shares)]


def _ingress_route(
    route: Route, rules: Sequence[Mapping[str, object]], *, carries_weights: bool = False
) -> RouteObject:
    spec = {"entryPoints": ["web"], "routes": list(rules)}
    return RouteObject("IngressRoute", route.object_name, spec, carries_weights)


def _rule(
    match: str, priority: int, services: Sequence[Reference], middlewares: Sequence[str] = ()
) -> dict[str, object]:
    references = {"middlewares": [{"name": name} for name in middlewares]} if middlewares else {}
    return {
        "kind": "Rule",
        "match": match,
        "priority": priority,
        "services": list(services),
        **references,
    }


def _paths(route: Route) -> str:
    """Match all paths of a route in one rule: each further rule slows every change of a route.

    Prefixes end in a slash, because a string prefix is not a path prefix.
    """
    names = [route.name] if route.name == LATEST else [route.name, f"labels/{route.name}"]
    paths = [f"PathPrefix(`/models/{route.model}/{name}/`)" for name in names]
    if route.name == MAIN_ROUTE:
        # Open Inference Protocol without a version; paths with a version belong to the version
        base = f"/v2/models/{route.model}"
        paths += [
            f"Path(`{base}`)",
            f"(PathPrefix(`{base}/`) && !PathPrefix(`{base}/versions/`))",
        ]
    return "(" + " || ".join(paths) + ")"


def _version(version: str) -> str:
    return f"Header(`{HEADER}`, `{version}`)"


def _any_version() -> str:
    return f"HeaderRegexp(`{HEADER}`, `^`)"
