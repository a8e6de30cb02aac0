"""What protects a stack: network policies, priority, and what requests pass at the front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.platform import broker_config, deployment_watcher, network_policies, traefik
from components.platform.ways import CONSUMER, components, ways
from components.serving import container
from tests.support.recorder import Recorder

ROOT = Path(__file__).parents[4]
MODELS = {
    "iris": {
        "language": "python",
        "handler": "predict:predict",
        "versions": {"v1": {"source": "models/iris/v1"}},
        "routes": {"prod": {"weights": {"v1": 100}}},
    }
}
PLATFORM = {"namespace": "models", "registry": "registry.test/models", "hostname": "models.test"}
COMPONENTS = {"ingress-controller", "message-broker", "watcher", "model"}

Run = Callable[..., Recorder]


@pytest.fixture
def plain(run: Run) -> Recorder:
    return run(MODELS)


def specs(recorder: Recorder, kind: str) -> dict[str, Any]:
    return {
        item.name: item.inputs["spec"]
        for item in recorder.resources
        if item.token.rpartition(":")[2] == kind
    }


def pods(recorder: Recorder) -> dict[str, Any]:
    found = {**specs(recorder, "Deployment"), **specs(recorder, "StatefulSet")}
    return {
        spec["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: spec["template"]
        for spec in found.values()
    }


def test_without_a_way_nothing_comes_in_or_goes_out(plain: Recorder) -> None:
    denial = specs(plain, "NetworkPolicy")[network_policies.DENY]
    assert denial["podSelector"] == {}
    assert denial["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denial
    # every Pod may ask for names, nothing else
    (only,) = denial["egress"]
    assert {port["port"] for port in only["ports"]} == {53}
    assert only["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}


def test_each_component_has_a_policy_that_selects_its_pods(plain: Recorder) -> None:
    policies = specs(plain, "NetworkPolicy")
    assert set(policies) == COMPONENTS | {network_policies.DENY}
    for component, pod in pods(plain).items():
        wanted = policies[component]["podSelector"]["matchLabels"]
        assert wanted.items() <= pod["metadata"]["labels"].items()


def test_ways_lead_to_ports_that_pods_have(plain: Recorder) -> None:
    listening = {
        component: {
            port["containerPort"] for each in pod["spec"]["containers"] for port in each["ports"]
        }
        for component, pod in pods(plain).items()
    }
    for way in ways(()):
        if way.target.component:
            assert set(way.ports) <= listening[way.target.component], str(way)


def test_both_ends_of_a_way_inside_the_namespace_are_open(plain: Recorder) -> None:
    policies = specs(plain, "NetworkPolicy")
    inside = [way for way in ways(()) if way.source.component and way.target.component]
    assert len(inside) == 4
    for way in inside:
        source = {"app.kubernetes.io/component": way.source.component}
        target = {"app.kubernetes.io/component": way.target.component}
        for end, rules, key, other in (
            (way.target.component, "ingress", "from", source),
            (way.source.component, "egress", "to", target),
        ):
            assert [
                rule
                for rule in policies[end][rules]
                if {port["port"] for port in rule["ports"]} == set(way.ports)
                and any(
                    other.items() <= peer["podSelector"]["matchLabels"].items()
                    for peer in rule.get(key, [])
                )
            ], str(way)


def test_anybody_gets_no_further_than_the_front_door(plain: Recorder) -> None:
    for name, policy in specs(plain, "NetworkPolicy").items():
        anybody = [rule for rule in policy.get("ingress", []) if "from" not in rule]
        ports = {port["port"] for rule in anybody for port in rule["ports"]}
        doors = {traefik.PORTS[door] for door in ("web", "plain", "traefik")}
        assert ports == (doors if name == "ingress-controller" else set())


def test_models_reach_nothing_but_what_the_stack_file_names(run: Run, plain: Recorder) -> None:
    assert "egress" not in specs(plain, "NetworkPolicy")["model"]
    named = run(MODELS, {**PLATFORM, "modelEgress": ["10.20.0.0/16", "10.30.0.0/24"]})
    assert specs(named, "NetworkPolicy")["model"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}, {"ipBlock": {"cidr": "10.30.0.0/24"}}]}
    ]


def test_metrics_are_for_prometheus_alone() -> None:
    asked = {way.target.component: way.ports for way in ways(()) if way.source.name == "Prometheus"}
    assert asked == {
        "ingress-controller": (traefik.PORTS["metrics"],),
        "message-broker": (broker_config.PORTS["metrics"],),
        "watcher": (deployment_watcher.PORTS["health"],),
        "model": (container.HEALTH_PORT,),
    }


def test_events_are_for_consumers_that_say_so(plain: Recorder) -> None:
    rules = specs(plain, "NetworkPolicy")["message-broker"]["ingress"]
    (consumers,) = [rule for rule in rules if CONSUMER in str(rule)]
    assert [port["port"] for port in consumers["ports"]] == [broker_config.PORTS["amqp"]]
    assert "management" not in str(rules)
    assert broker_config.PORTS["management"] not in {
        port["port"] for rule in rules for port in rule["ports"]
    }


def test_every_way_is_written_down_with_its_reason(plain: Recorder) -> None:
    page = (ROOT / "docs/production.md").read_text()
    listed = ways(())
    for component, found in components(listed).items():
        name = network_policies.DENY if component not in COMPONENTS else component
        told = plain.one("NetworkPolicy", name)["metadata"]
        assert isinstance(told, Mapping)
        assert told["annotations"]["model-deployment.io/ways"].splitlines() == [*map(str, found)]
    for way in listed:
        ports = ", ".join(map(str, way.ports))
        assert f"| {way.source.name} | {way.target.name} | {ports} | {way.reason} |" in page


def test_what_all_models_need_stays_when_there_is_not_room_for_all(plain: Recorder) -> None:
    (found,) = [item for item in plain.resources if item.token.endswith(":PriorityClass")]
    # cluster-wide: two stacks may share a cluster, and the way back from a lost state reads the end
    name = "model-deployment-platform-models"
    assert found.inputs["metadata"]["name"] == name  # type: ignore[index]
    assert not found.inputs.get("globalDefault")
    value: Any = found.inputs["value"]
    assert 0 < value < 1_000_000_000, "above models, below the system's"
    assert {
        component: pod["spec"].get("priorityClassName") for component, pod in pods(plain).items()
    } == {
        "ingress-controller": name,
        "message-broker": name,
        "watcher": name,
        "model": None,
    }


def arguments(recorder: Recorder) -> list[str]:
    found: list[str] = pods(recorder)["ingress-controller"]["spec"]["containers"][0]["args"]
    return found


def protected(run: Run, **ingress: object) -> Recorder:
    return run(MODELS, {**PLATFORM, "ingressController": ingress})


def test_what_the_stack_file_does_not_ask_for_is_not_passed(plain: Recorder) -> None:
    assert not [each for each in arguments(plain) if "middlewares" in each]
    assert not {"ingress-controller.headers", "ingress-controller.rate"} & set(
        specs(plain, "Middleware")
    )


def test_every_request_of_models_passes_headers_and_then_the_rate(run: Run) -> None:
    recorder = protected(
        run,
        securityHeaders=True,
        hstsSeconds=600,
        rateLimit={"average": 5, "burst": 7},
    )
    given = specs(recorder, "Middleware")
    assert given["ingress-controller.rate"]["rateLimit"] == {
        "average": 5,
        "burst": 7,
        "sourceCriterion": {"ipStrategy": {"depth": 0}},
    }
    assert given["ingress-controller.headers"]["headers"] == {
        "contentTypeNosniff": True,
        "frameDeny": True,
        "referrerPolicy": "no-referrer",
        "stsSeconds": 600,
        "forceSTSHeader": True,
    }
    (told,) = [each for each in arguments(recorder) if "middlewares" in each]
    name, _, value = told.partition("=")
    assert name == "--entrypoints.web.http.middlewares"
    assert value.split(",") == [
        "models_ingress-controller.headers@kubernetescrd",
        "models_ingress-controller.rate@kubernetescrd",
    ]
    # no route names them again
    routes = [specs(recorder, kind) for kind in ("IngressRoute", "Ingress")]
    assert "ingress-controller.rate" not in str(routes)
    assert "ingress-controller.headers" not in str(routes)


@pytest.mark.parametrize(
    ("ingress", "headers"),
    [
        ({"hstsSeconds": 600}, {"stsSeconds": 600, "forceSTSHeader": True}),
        (
            {"securityHeaders": True},
            {"contentTypeNosniff": True, "frameDeny": True, "referrerPolicy": "no-referrer"},
        ),
    ],
)
def test_headers_are_asked_for_one_by_one(
    run: Run, ingress: dict[str, object], headers: dict[str, object]
) -> None:
    given = specs(protected(run, **ingress), "Middleware")
    assert given["ingress-controller.headers"]["headers"] == headers


def test_plain_http_is_sent_on_for_good(plain: Recorder) -> None:
    redirect = "--entrypoints.plain.http.redirections.entrypoint"
    given = arguments(plain)
    assert "--entrypoints.plain.address=:8001" in given
    assert {f"{redirect}.to=:443", f"{redirect}.scheme=https", f"{redirect}.permanent=true"} <= {
        *given
    }
