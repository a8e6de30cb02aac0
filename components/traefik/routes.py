"""Build the Traefik objects of a route as plain data: pure functions without Pulumi.

A request passes, from the outside in:

    rule -> a tenth of them copied (mirror) -> arms by weight (sticky) -> an arm (failover)

- **Equal entries instead of weights.** Traefik deals out by a fixed schedule and begins anew at
  every change of any route: at few requests and many changes the smaller arm of 90/10 would never
  have its turn. It shuffles entries of equal weight, however: nine of one and one of the other are
  right on average whenever it begins.
- **An arm is named by its version's own Ingress** (`arm`). One balancer per version serves all of
  its addresses, and a cookie, which is a hash of that name, holds whatever stands beside the arm.
- **Names of further objects have a dot**, which no model's name can hold: they collide with none.
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
"""The port of a version's Service, as its Ingress names it."""

HEADER = "X-Model-Version"

_PRIORITY_ROUTE = 1000
_PRIORITY_VERSION = 500
"""No two rules of models match the same request, but Traefik asks one after the other at each.

First those that most requests match; then what names a version; last the versions' Ingresses, whose
priority is the length of their rule. With 200 models it else looks through 1,600 rules.
"""

_COOKIE_SECONDS = 24 * 60 * 60
"""How long a client keeps its arm: a day, so that a ramp of days reaches everybody."""

_FAILOVER_STATUSES = ["500-599"]
_CONNECTION_FAILED_STATUSES = ["502"]
"""Traefik's own: the connection broke. The failover version's own errors are final."""

_MEMORY_BYTES = 64 * 1024
"""Of a body that is still arriving; the rest of it waits on disk, however slow its sender is."""

_TOTAL = 100

Kind = Literal["IngressRoute", "Middleware", "TraefikService"]
Reference = dict[str, object]


@dataclass(frozen=True)
class RouteObject:
    """One object, without what all have in common."""

    kind: Kind
    name: str
    spec: dict[str, object]
    carries_weights: bool = False
    """Whether it is the one that moves the traffic: it carries the split as an annotation."""


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
        """The name of its objects."""
        return object_name(self.model, self.name)


def latest(namespace: str, model: str, version: str) -> list[RouteObject]:
    """The address of the highest version: one object, since there is nothing to share out."""
    route = Route(namespace, model, LATEST, RouteSpec(weights={version: _TOTAL}))
    alone = f"{_paths(route)} && (!{_any_version()} || {_version(version)})"
    rule = _rule(alone, _PRIORITY_VERSION, [version_service(namespace, model, version)])
    return [_ingress_route(route, [rule], carries_weights=True)]


def objects(route: Route) -> list[RouteObject]:
    """The objects of a weighted route, each after those that it names."""
    safety = [_with_failover(route, version) for version in _backends(route)]
    return [
        *_body_limit(route),
        *(safety if route.spec.failover else []),
        _weighted_service(route),
        *_mirroring_service(route),
        _ingress_route(route, _rules(route)),
    ]


def versions(spec: RouteSpec) -> set[str]:
    """Every version that must be Available before the route may change."""
    mirrored = {spec.mirror.version} if spec.mirror else set()
    return {*spec.weights, *mirrored, *({spec.failover} if spec.failover else ())}


def version_paths(model: str, version: str) -> list[str]:
    """Where a version always answers: all dialects, and the Open Inference Protocol."""
    return [f"{base}/models/{model}/versions/{version}/" for base in ("", "/v2")]


def version_service(namespace: str, model: str, version: str) -> Reference:
    """A version as Traefik has it from the version's Ingress."""
    name = f"{namespace}-{object_name(model, version)}-{SERVICE_PORT_NAME}@kubernetes"
    return {"kind": "TraefikService", "name": name}


def _backends(route: Route) -> list[str]:
    """The versions of the weights, and the one that stands behind them."""
    failover = route.spec.failover
    return list(dict.fromkeys([*route.spec.weights, *([failover] if failover else [])]))


def _backend(route: Route, version: str) -> Reference:
    """An arm of this route: with its failover, where the route has one."""
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
    """`{a: 90, b: 10}` as nine times a and once b."""
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
    """Mirror and failover hold a request's body in memory: one that is too long must not get there.

    It also holds back the answer until it is whole, without which a failed arm's chunked answer
    would reach the client as a success.
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
            # most requests have no such header: they are then not compared with the paths
            f"{_version(version)} && {_paths(route)}",
            _PRIORITY_VERSION,
            [_backend(route, version)],
            limits if route.spec.failover else (),
        )
        for version in route.spec.weights
    ]
    return [shared, *picked]


def _route_services(route: Route) -> list[Reference]:
    """Where requests enter that name no version: some by the way on which they are copied."""
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
    limits = {"middlewares": [{"name": name} for name in middlewares]} if middlewares else {}
    return {
        "kind": "Rule",
        "match": match,
        "priority": priority,
        "services": list(services),
        **limits,
    }


def _paths(route: Route) -> str:
    """All addresses of a route, in one rule: each further one would slow every change of a route.

    Prefixes end in a slash: a prefix of text is not one of a path.
    """
    names = [route.name] if route.name == LATEST else [route.name, f"labels/{route.name}"]
    paths = [f"PathPrefix(`/models/{route.model}/{name}/`)" for name in names]
    if route.name == MAIN_ROUTE:
        # of the Open Inference Protocol, without a version: those with one are the version's own
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
