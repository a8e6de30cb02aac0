"""The Traefik objects of a route; tests/e2e/test_traffic.py tests their effect."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from components.config import LimitsSpec, MirrorSpec, RouteSpec
from components.traefik import routes, shared_middlewares
from components.traefik.default_certificate import self_signed
from components.traefik.routes import Route, RouteObject
from components.traefik.static_config import cli_arguments, environment, ready_route

V1 = "models-iris-v1-http@kubernetes"
V2 = "models-iris-v2-http@kubernetes"
SPLIT = {"v1": 90, "v2": 10}
PATHS = (
    "(PathPrefix(`/models/iris/prod/`) || PathPrefix(`/models/iris/labels/prod/`) || "
    "Path(`/v2/models/iris`) || "
    "(PathPrefix(`/v2/models/iris/`) && !PathPrefix(`/v2/models/iris/versions/`)))"
)


def _objects(**keys: object) -> dict[tuple[str, str], RouteObject]:
    spec = RouteSpec(**{"weights": SPLIT, **keys})
    route_objects = routes.objects(
        Route("models", "iris", "prod", spec, LimitsSpec(body_bytes=5000))
    )
    assert len({(item.kind, item.name) for item in route_objects}) == len(route_objects)
    return {(item.kind, item.name): item for item in route_objects}


def _spec(objects: dict[tuple[str, str], RouteObject], kind: str, name: str) -> dict:
    return objects[kind, name].spec


def _rules(objects: dict[tuple[str, str], RouteObject]) -> list[dict]:
    return _spec(objects, "IngressRoute", "iris-prod")["routes"]


def _references(value: object) -> set[str]:
    """Every TraefikService that is named anywhere in `value`."""
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["name"]} if value.get("kind") == "TraefikService" else set()
    return own.union(*map(_references, value.values()))


def test_plain_route_declares_two_objects() -> None:
    assert list(_objects()) == [("TraefikService", "iris-prod"), ("IngressRoute", "iris-prod")]


def test_full_route_declares_six_objects_in_dependency_order() -> None:
    objects = _objects(sticky=True, failover="v1", mirror=MirrorSpec(version="v3", percent=10))
    assert list(objects) == [
        ("Middleware", "iris-prod.body"),
        ("TraefikService", "iris-prod.v1"),
        ("TraefikService", "iris-prod.v2"),
        ("TraefikService", "iris-prod"),
        ("TraefikService", "iris-prod.mirror"),
        ("IngressRoute", "iris-prod"),
    ]
    declared_names: set[str] = set()
    for (kind, name), item in objects.items():
        own = {reference for reference in _references(item.spec) if "@" not in reference}
        assert own <= declared_names, name
        if kind == "TraefikService":
            declared_names.add(name)


def test_latest_is_one_object_with_version_as_backend() -> None:
    [item] = routes.latest("models", "iris", "v2")
    assert (item.kind, item.name, item.carries_weights) == ("IngressRoute", "iris-latest", True)
    [rule] = item.spec["routes"]
    assert rule["match"] == (
        "(PathPrefix(`/models/iris/latest/`)) && "
        "(!HeaderRegexp(`X-Model-Version`, `^`) || Header(`X-Model-Version`, `v2`))"
    )
    assert rule["services"] == [{"kind": "TraefikService", "name": V2}]


def test_weights_are_repeated_equal_entries() -> None:
    services = _spec(_objects(), "TraefikService", "iris-prod")["weighted"]["services"]
    assert {service["weight"] for service in services} == {1}
    assert Counter(service["name"] for service in services) == {V1: 9, V2: 1}


def test_backend_with_zero_weight_is_selectable_by_header_only() -> None:
    objects = _objects(weights={"v1": 100, "v2": 0})
    services = _spec(objects, "TraefikService", "iris-prod")["weighted"]["services"]
    assert services == [{"kind": "TraefikService", "name": V1, "weight": 1}]
    picked = [rule for rule in _rules(objects) if "`v2`" in rule["match"]]
    assert [rule["services"] for rule in picked] == [[{"kind": "TraefikService", "name": V2}]]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any))
def test_equal_entries_keep_proportions(shares: list[int]) -> None:
    weights = {f"v{number}": share for number, share in enumerate(shares, 1)}
    entries = Counter(routes._equal_entries(weights))
    for version, weight in weights.items():
        assert Fraction(entries[version], entries.total()) == Fraction(weight, sum(shares))
    assert entries.total() <= sum(shares)


def test_version_header_selects_backend_or_nothing() -> None:
    rules = {rule["match"]: rule for rule in _rules(_objects())}
    shared = f"{PATHS} && !HeaderRegexp(`X-Model-Version`, `^`)"
    picked = {f"Header(`X-Model-Version`, `v{n}`) && {PATHS}": n for n in (1, 2)}
    assert rules.keys() == {shared, *picked}
    assert rules[shared]["services"] == [{"kind": "TraefikService", "name": "iris-prod"}]
    for match, number in picked.items():
        assert rules[match]["services"] == [
            {"kind": "TraefikService", "name": (V1, V2)[number - 1]}
        ]


def test_route_rules_have_priority_over_ingresses() -> None:
    rules = _rules(_objects())
    shared, *picked = (rule["priority"] for rule in rules)
    [latest] = routes.latest("models", "iris", "v2")[0].spec["routes"]
    assert picked == [latest["priority"]] * 2
    # of an Ingress the length of the rule, as Traefik writes it
    address = f"/v2/models/{'m' * 40}/versions/v{'9' * 12}"
    longest = len(f"(Path(`{address}`) || PathPrefix(`{address}/`))")
    assert shared > picked[0] > longest


@pytest.mark.parametrize(
    "keys", [{}, {"sticky": True}, {"failover": "v1"}, {"mirror": {"version": "v3", "percent": 9}}]
)
def test_prod_rules_match_open_inference_protocol(keys: dict) -> None:
    rules = _rules(_objects(**keys))
    assert len(rules) == 3
    shared, *picked = (rule["match"] for rule in rules)
    assert shared.startswith(f"{PATHS} && ")
    assert all(match.endswith(f" && {PATHS}") for match in picked)


@pytest.mark.parametrize("name", ["beta", "prod2", "latest"])
def test_other_routes_do_not_match_open_inference_protocol(name: str) -> None:
    route = Route("models", "iris", name, RouteSpec(weights=SPLIT))
    route_objects = (
        routes.latest("models", "iris", "v2") if name == "latest" else routes.objects(route)
    )
    assert not [item.name for item in route_objects if "/v2/" in str(item.spec)]


def test_sticky_route_has_own_cookie() -> None:
    weighted = _spec(_objects(sticky=True), "TraefikService", "iris-prod")["weighted"]
    cookie = weighted["sticky"]["cookie"]
    assert cookie["name"] == "iris-prod"
    assert cookie["httpOnly"] is True
    assert cookie["sameSite"] == "lax"
    assert 0 < cookie["maxAge"] <= 7 * 24 * 3600
    assert "sticky" not in _spec(_objects(), "TraefikService", "iris-prod")["weighted"]


@pytest.mark.parametrize("weights", [{"v1": 50, "v2": 50}, {"v2": 50, "v1": 50}])
def test_backend_name_is_independent_of_other_backends(weights: dict[str, int]) -> None:
    # Traefik's cookie is a hash of the name: were it the place in the list, clients would move
    for keys, names in (({}, {V1, V2}), ({"failover": "v1"}, {"iris-prod.v1", "iris-prod.v2"})):
        objects = _objects(weights=weights, sticky=True, **keys)
        weighted = _spec(objects, "TraefikService", "iris-prod")["weighted"]
        assert {service["name"] for service in weighted["services"]} == names


def test_failing_backend_is_replaced_by_failover() -> None:
    objects = _objects(failover="v1")
    assert _spec(objects, "TraefikService", "iris-prod.v2")["failover"] == {
        "service": {"kind": "TraefikService", "name": V2},
        "fallback": {"kind": "TraefikService", "name": "iris-prod.v1"},
        "errors": {"status": ["500-599"]},
    }


def test_failover_version_is_retried_only_on_connection_failure() -> None:
    failover = _spec(_objects(failover="v1"), "TraefikService", "iris-prod.v1")["failover"]
    assert failover["service"] == {"kind": "TraefikService", "name": V1}
    assert failover["errors"] == {"status": ["502"]}
    # by its Service: the version's other addresses must not repeat what a Pod has begun
    again = failover["fallback"]
    assert (again["name"], again["port"]) == ("iris-v1", "http")
    shared = {item.name: item.spec for item in shared_middlewares.objects(30)}
    once_more, refused = (shared[item["name"]]["retry"] for item in again["middlewares"])
    assert once_more["status"] == ["502"]
    assert once_more["retryNonIdempotentMethod"] is True
    # any other number is set aside for each call, and none means 2 MiB
    assert once_more["maxRequestBodyBytes"] == -1
    assert "status" not in refused


def test_failover_without_weight_is_not_selectable() -> None:
    objects = _objects(failover="v3")
    assert ("TraefikService", "iris-prod.v3") in objects
    assert not [rule for rule in _rules(objects) if "`v3`" in rule["match"]]


def test_buffering_limits_bodies() -> None:
    limit = [{"name": "iris-prod.body"}]
    failover = _objects(failover="v1")
    assert all(rule.get("middlewares") == limit for rule in _rules(failover))
    mirror = _rules(_objects(mirror=MirrorSpec(version="v3", percent=10)))
    assert [rule.get("middlewares") for rule in mirror] == [limit, None, None]
    assert not any("middlewares" in rule for rule in _rules(_objects()))
    buffering = _spec(failover, "Middleware", "iris-prod.body")["buffering"]
    assert buffering["maxRequestBodyBytes"] == 5000
    assert buffering["memRequestBodyBytes"] <= 64 * 1024


def test_mirror_of_ten_percent_uses_sampled_backend() -> None:
    objects = _objects(mirror=MirrorSpec(version="v3", percent=10))
    entrances = Counter(service["name"] for service in _rules(objects)[0]["services"])
    assert entrances == {"iris-prod": 9, "iris-prod.mirror": 1}
    mirroring = _spec(objects, "TraefikService", "iris-prod.mirror")["mirroring"]
    assert (mirroring["kind"], mirroring["name"]) == ("TraefikService", "iris-prod")
    [copy] = mirroring["mirrors"]
    assert (copy["name"], copy["percent"]) == ("iris-v3", 100)


def test_mirrored_requests_are_marked_and_limited() -> None:
    objects = _objects(mirror=MirrorSpec(version="v3", percent=10))
    [copy] = _spec(objects, "TraefikService", "iris-prod.mirror")["mirroring"]["mirrors"]
    shared = {(item.kind, item.name): item.spec for item in shared_middlewares.objects(30)}
    mark, bound = (shared["Middleware", item["name"]] for item in copy["middlewares"])
    assert mark == {"headers": {"customRequestHeaders": {"X-Mirror": "true"}}}
    # counted by the mark, which no client chooses
    assert bound["inFlightReq"]["sourceCriterion"] == {"requestHeaderName": "X-Mirror"}
    transport = shared["ServersTransport", copy["serversTransport"]]
    assert transport["forwardingTimeouts"].keys() == {"dialTimeout", "responseHeaderTimeout"}


def test_mirror_of_all_requests_is_one_backend() -> None:
    objects = _objects(mirror=MirrorSpec(version="v3", percent=100))
    services = _rules(objects)[0]["services"]
    assert services == [{"kind": "TraefikService", "name": "iris-prod.mirror"}]


def test_weight_change_updates_one_object() -> None:
    before = _objects(failover="v1", mirror=MirrorSpec(version="v3", percent=10))
    after = _objects(
        weights={"v1": 20, "v2": 80}, failover="v1", mirror=MirrorSpec(version="v3", percent=10)
    )
    changed = [key for key in before if before[key] != after[key]]
    assert changed == [("TraefikService", "iris-prod")]
    assert [key for key, item in after.items() if item.carries_weights] == changed


def test_route_depends_on_all_its_versions() -> None:
    spec = RouteSpec(weights=SPLIT, mirror=MirrorSpec(version="v3", percent=1), failover="v4")
    assert routes.versions(spec) == {"v1", "v2", "v3", "v4"}


def test_mirror_and_failover_of_weight_zero_must_be_available() -> None:
    weights = {"v1": 100, "v2": 0, "v3": 0, "v4": 0}
    spec = RouteSpec(weights=weights, mirror=MirrorSpec(version="v3", percent=1), failover="v4")
    assert routes.receiving_versions(spec) == {"v1", "v3", "v4"}


def test_refused_connection_is_retried_for_all_methods() -> None:
    [retry] = [
        item.spec["retry"]
        for item in shared_middlewares.objects(30)
        if item.name == shared_middlewares.RETRY
    ]
    assert retry["attempts"] > 1
    # nothing that a Pod may have begun
    assert not retry.keys() & {"status", "retryNonIdempotentMethod"}
    assert shared_middlewares.service_annotations("models") == {
        "traefik.ingress.kubernetes.io/service.middlewares": (
            "models_ingress-controller.retry@kubernetescrd"
        )
    }


def test_traefik_readiness_requires_both_providers() -> None:
    [rule] = ready_route("models-ingress-controller-web@kubernetes")["routes"]
    assert {service["name"]: service["weight"] for service in rule["services"]} == {
        "ping@internal": 1,
        "models-ingress-controller-web@kubernetes": 0,
    }


def test_models_are_served_on_one_entry_point_without_delay() -> None:
    arguments = cli_arguments("models", "class", 30)
    assert "--entrypoints.web.asdefault=true" in arguments
    assert not any("ingressendpoint" in item for item in arguments)


def test_traefik_heap_limit_is_below_memory_limit() -> None:
    assert int(environment(2**28)["GOMEMLIMIT"]) == int(2**28 * 0.8)


def test_traefik_idle_timeout_is_below_harness_timeout() -> None:
    arguments = cli_arguments("models", "class", 30)
    assert "--serverstransport.forwardingtimeouts.idleconntimeout=90s" in arguments
    assert not any(item.startswith("--accesslog") for item in arguments)


def test_default_certificate_matches_hostname() -> None:
    files = {name: text.encode() for name, text in self_signed("models.test").items()}
    certificate = x509.load_pem_x509_certificate(files["tls.crt"])
    key = load_pem_private_key(files["tls.key"], None)
    assert certificate.public_key() == key.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["models.test"]
    certificate.verify_directly_issued_by(certificate)
