"""What Traefik is told of a route. What it makes of that, `tests/e2e/test_traffic.py` sees."""

from __future__ import annotations

import base64
from collections import Counter
from fractions import Fraction

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from components.platform import steering
from components.platform.default_certificate import self_signed
from components.platform.traefik import arguments, environment, ready_route
from components.serving import traffic
from components.serving.traffic import Route, RouteObject
from components.spec import LimitsSpec, MirrorSpec, RouteSpec

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
    found = traffic.objects(Route("models", "iris", "prod", spec, LimitsSpec(body_bytes=5000)))
    assert len({(item.kind, item.name) for item in found}) == len(found)
    return {(item.kind, item.name): item for item in found}


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


def test_a_plain_route_is_two_objects() -> None:
    assert list(_objects()) == [("TraefikService", "iris-prod"), ("IngressRoute", "iris-prod")]


def test_a_route_with_everything_is_six_objects_each_after_those_it_names() -> None:
    objects = _objects(sticky=True, failover="v1", mirror=MirrorSpec(version="v3", percent=10))
    assert list(objects) == [
        ("Middleware", "iris-prod.body"),
        ("TraefikService", "iris-prod.v1"),
        ("TraefikService", "iris-prod.v2"),
        ("TraefikService", "iris-prod"),
        ("TraefikService", "iris-prod.mirror"),
        ("IngressRoute", "iris-prod"),
    ]
    known: set[str] = set()
    for (kind, name), item in objects.items():
        own = {reference for reference in _references(item.spec) if "@" not in reference}
        assert own <= known, name
        if kind == "TraefikService":
            known.add(name)


def test_latest_is_one_object_and_leads_straight_to_its_version() -> None:
    [item] = traffic.latest("models", "iris", "v2")
    assert (item.kind, item.name, item.shares) == ("IngressRoute", "iris-latest", True)
    [rule] = item.spec["routes"]
    assert rule["match"] == (
        "(PathPrefix(`/models/iris/latest/`)) && "
        "(!HeaderRegexp(`X-Model-Version`, `^`) || Header(`X-Model-Version`, `v2`))"
    )
    assert rule["services"] == [{"kind": "TraefikService", "name": V2}]


def test_the_shares_are_equal_entries_which_traefik_shuffles() -> None:
    services = _spec(_objects(), "TraefikService", "iris-prod")["weighted"]["services"]
    assert {service["weight"] for service in services} == {1}
    assert Counter(service["name"] for service in services) == {V1: 9, V2: 1}


def test_an_arm_without_weight_is_no_entry_but_can_be_picked() -> None:
    objects = _objects(weights={"v1": 100, "v2": 0})
    services = _spec(objects, "TraefikService", "iris-prod")["weighted"]["services"]
    assert services == [{"kind": "TraefikService", "name": V1, "weight": 1}]
    picked = [rule for rule in _rules(objects) if "`v2`" in rule["match"]]
    assert [rule["services"] for rule in picked] == [[{"kind": "TraefikService", "name": V2}]]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any))
def test_equal_entries_keep_the_proportions(shares: list[int]) -> None:
    weights = {f"v{number}": share for number, share in enumerate(shares, 1)}
    entries = Counter(traffic._equal_entries(weights))
    for version, weight in weights.items():
        assert Fraction(entries[version], entries.total()) == Fraction(weight, sum(shares))
    assert entries.total() <= sum(shares)


def test_without_the_header_the_shares_with_it_the_arm_else_nothing() -> None:
    rules = {rule["match"]: rule for rule in _rules(_objects())}
    shared = f"{PATHS} && !HeaderRegexp(`X-Model-Version`, `^`)"
    picked = {f"Header(`X-Model-Version`, `v{n}`) && {PATHS}": n for n in (1, 2)}
    assert rules.keys() == {shared, *picked}
    assert rules[shared]["services"] == [{"kind": "TraefikService", "name": "iris-prod"}]
    for match, number in picked.items():
        assert rules[match]["services"] == [
            {"kind": "TraefikService", "name": (V1, V2)[number - 1]}
        ]


def test_what_most_requests_match_is_asked_first_and_the_ingresses_last() -> None:
    rules = _rules(_objects())
    shared, *picked = (rule["priority"] for rule in rules)
    [latest] = traffic.latest("models", "iris", "v2")[0].spec["routes"]
    assert picked == [latest["priority"]] * 2
    # of an Ingress the length of the rule, as Traefik writes it
    address = f"/v2/models/{'m' * 40}/versions/v{'9' * 12}"
    longest = len(f"(Path(`{address}`) || PathPrefix(`{address}/`))")
    assert shared > picked[0] > longest


@pytest.mark.parametrize(
    "keys", [{}, {"sticky": True}, {"failover": "v1"}, {"mirror": {"version": "v3", "percent": 9}}]
)
def test_every_rule_of_prod_also_answers_the_open_inference_protocol(keys: dict) -> None:
    rules = _rules(_objects(**keys))
    assert len(rules) == 3
    shared, *picked = (rule["match"] for rule in rules)
    assert shared.startswith(f"{PATHS} && ")
    assert all(match.endswith(f" && {PATHS}") for match in picked)


@pytest.mark.parametrize("name", ["beta", "prod2", "latest"])
def test_no_other_route_does(name: str) -> None:
    route = Route("models", "iris", name, RouteSpec(weights=SPLIT))
    found = traffic.latest("models", "iris", "v2") if name == "latest" else traffic.objects(route)
    assert not [item.name for item in found if "/v2/" in str(item.spec)]


def test_sticky_is_a_cookie_of_the_route_s_own() -> None:
    weighted = _spec(_objects(sticky=True), "TraefikService", "iris-prod")["weighted"]
    cookie = weighted["sticky"]["cookie"]
    assert cookie["name"] == "iris-prod"
    assert cookie["httpOnly"] is True
    assert cookie["sameSite"] == "lax"
    assert 0 < cookie["maxAge"] <= 7 * 24 * 3600
    assert "sticky" not in _spec(_objects(), "TraefikService", "iris-prod")["weighted"]


@pytest.mark.parametrize("weights", [{"v1": 50, "v2": 50}, {"v2": 50, "v1": 50}])
def test_an_arm_s_name_does_not_depend_on_what_stands_beside_it(weights: dict[str, int]) -> None:
    # Traefik's cookie is a hash of the name: were it the place in the list, clients would move
    for keys, names in (({}, {V1, V2}), ({"failover": "v1"}, {"iris-prod.v1", "iris-prod.v2"})):
        objects = _objects(weights=weights, sticky=True, **keys)
        weighted = _spec(objects, "TraefikService", "iris-prod")["weighted"]
        assert {service["name"] for service in weighted["services"]} == names


def test_a_failing_arm_is_answered_by_the_failover() -> None:
    objects = _objects(failover="v1")
    assert _spec(objects, "TraefikService", "iris-prod.v2")["failover"] == {
        "service": {"kind": "TraefikService", "name": V2},
        "fallback": {"kind": "TraefikService", "name": "iris-prod.v1"},
        "errors": {"status": ["500-599"]},
    }


def test_the_failover_asks_itself_again_only_where_its_pod_died() -> None:
    failover = _spec(_objects(failover="v1"), "TraefikService", "iris-prod.v1")["failover"]
    assert failover["service"] == {"kind": "TraefikService", "name": V1}
    assert failover["errors"] == {"status": ["502"]}
    # by its Service: the version's other addresses must not repeat what a Pod has begun
    again = failover["fallback"]
    assert (again["name"], again["port"]) == ("iris-v1", "http")
    shared = {item.name: item.spec for item in steering.objects(30)}
    once_more, refused = (shared[item["name"]]["retry"] for item in again["middlewares"])
    assert once_more["status"] == ["502"]
    assert once_more["retryNonIdempotentMethod"] is True
    # any other number is set aside for each call, and none means 2 MiB
    assert once_more["maxRequestBodyBytes"] == -1
    assert "status" not in refused


def test_a_failover_without_weight_stands_behind_the_arms_and_cannot_be_picked() -> None:
    objects = _objects(failover="v3")
    assert ("TraefikService", "iris-prod.v3") in objects
    assert not [rule for rule in _rules(objects) if "`v3`" in rule["match"]]


def test_bodies_are_bounded_wherever_something_holds_them() -> None:
    limit = [{"name": "iris-prod.body"}]
    failover = _objects(failover="v1")
    assert all(rule.get("middlewares") == limit for rule in _rules(failover))
    mirror = _rules(_objects(mirror=MirrorSpec(version="v3", percent=10)))
    assert [rule.get("middlewares") for rule in mirror] == [limit, None, None]
    assert not any("middlewares" in rule for rule in _rules(_objects()))
    buffering = _spec(failover, "Middleware", "iris-prod.body")["buffering"]
    assert buffering["maxRequestBodyBytes"] == 5000
    assert buffering["memRequestBodyBytes"] <= 64 * 1024


def test_a_tenth_of_the_requests_goes_where_all_are_copied() -> None:
    objects = _objects(mirror=MirrorSpec(version="v3", percent=10))
    entrances = Counter(service["name"] for service in _rules(objects)[0]["services"])
    assert entrances == {"iris-prod": 9, "iris-prod.mirror": 1}
    mirroring = _spec(objects, "TraefikService", "iris-prod.mirror")["mirroring"]
    assert (mirroring["kind"], mirroring["name"]) == ("TraefikService", "iris-prod")
    [copy] = mirroring["mirrors"]
    assert (copy["name"], copy["percent"]) == ("iris-v3", 100)


def test_copies_are_marked_bounded_in_number_and_in_time() -> None:
    objects = _objects(mirror=MirrorSpec(version="v3", percent=10))
    [copy] = _spec(objects, "TraefikService", "iris-prod.mirror")["mirroring"]["mirrors"]
    shared = {(item.kind, item.name): item.spec for item in steering.objects(30)}
    mark, bound = (shared["Middleware", item["name"]] for item in copy["middlewares"])
    assert mark == {"headers": {"customRequestHeaders": {"X-Mirror": "true"}}}
    # counted by the mark, which no client chooses
    assert bound["inFlightReq"]["sourceCriterion"] == {"requestHeaderName": "X-Mirror"}
    transport = shared["ServersTransport", copy["serversTransport"]]
    assert transport["forwardingTimeouts"].keys() == {"dialTimeout", "responseHeaderTimeout"}


def test_all_requests_copied_is_one_entrance() -> None:
    objects = _objects(mirror=MirrorSpec(version="v3", percent=100))
    services = _rules(objects)[0]["services"]
    assert services == [{"kind": "TraefikService", "name": "iris-prod.mirror"}]


def test_one_object_alone_moves_the_traffic() -> None:
    before = _objects(failover="v1", mirror=MirrorSpec(version="v3", percent=10))
    after = _objects(
        weights={"v1": 20, "v2": 80}, failover="v1", mirror=MirrorSpec(version="v3", percent=10)
    )
    changed = [key for key in before if before[key] != after[key]]
    assert changed == [("TraefikService", "iris-prod")]
    assert [key for key, item in after.items() if item.shares] == changed


def test_a_route_waits_for_every_version_it_names() -> None:
    spec = RouteSpec(weights=SPLIT, mirror=MirrorSpec(version="v3", percent=1), failover="v4")
    assert traffic.versions(spec) == {"v1", "v2", "v3", "v4"}


def test_a_refused_connection_is_tried_again_whatever_the_method() -> None:
    [retry] = [item.spec["retry"] for item in steering.objects(30) if item.name == steering.RETRY]
    assert retry["attempts"] > 1
    # nothing that a Pod may have begun
    assert not retry.keys() & {"status", "retryNonIdempotentMethod"}
    assert steering.service_annotations("models") == {
        "traefik.ingress.kubernetes.io/service.middlewares": (
            "models_ingress-controller.retry@kubernetescrd"
        )
    }


def test_traefik_is_ready_only_with_both_kinds_of_routes() -> None:
    [rule] = ready_route("models-ingress-controller-web@kubernetes")["routes"]
    assert {service["name"]: service["weight"] for service in rule["services"]} == {
        "ping@internal": 1,
        "models-ingress-controller-web@kubernetes": 0,
    }


def test_models_are_answered_at_one_port_alone_and_as_soon_as_they_stand() -> None:
    given = arguments("models", "class", 30)
    assert "--entrypoints.web.asdefault=true" in given
    assert not any("ingressendpoint" in item for item in given)


def test_traefik_s_heap_stays_below_its_memory() -> None:
    assert int(environment(2**28)["GOMEMLIMIT"]) == int(2**28 * 0.8)


def test_traefik_closes_idle_connections_before_the_harness_does() -> None:
    given = arguments("models", "class", 30)
    assert "--serverstransport.forwardingtimeouts.idleconntimeout=90s" in given
    assert not any(item.startswith("--accesslog") for item in given)


def test_the_certificate_is_a_pair_for_the_host() -> None:
    files = {name: base64.b64decode(text) for name, text in self_signed("models.test").items()}
    certificate = x509.load_pem_x509_certificate(files["tls.crt"])
    key = load_pem_private_key(files["tls.key"], None)
    assert certificate.public_key() == key.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["models.test"]
    certificate.verify_directly_issued_by(certificate)
