"""What protects a stack: network policies, priority, and what requests pass at the front name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components import ports
from components.platform import network_policies
from components.platform.network_flows import CONSUMER_LABEL, allowed_flows, flows_by_component
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
    workloads = {**specs(recorder, "Deployment"), **specs(recorder, "StatefulSet")}
    return {
        spec["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: spec["template"]
        for spec in workloads.values()
    }


def test_namespace_admits_only_restricted_pods(plain: Recorder) -> None:
    labels = plain.inputs_of("Namespace", "models")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert set(pods(plain)) == COMPONENTS


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_pods_of_every_component_are_restricted(plain: Recorder, component: str) -> None:
    spec = pods(plain)[component]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    volumes = [kind for item in spec.get("volumes", []) for kind in item if kind != "name"]
    assert set(volumes) <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not any("hostPort" in port for port in container.get("ports", []))


def test_default_policy_denies_all_traffic(plain: Recorder) -> None:
    denial = specs(plain, "NetworkPolicy")[network_policies.DENY]
    assert denial["podSelector"] == {}
    assert denial["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denial
    # every Pod may resolve names, nothing else
    (only,) = denial["egress"]
    assert {port["port"] for port in only["ports"]} == {53}
    assert only["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}


def test_network_policies_select_pods_of_every_component(plain: Recorder) -> None:
    policies = specs(plain, "NetworkPolicy")
    assert set(policies) == COMPONENTS | {network_policies.DENY}
    for component, pod in pods(plain).items():
        selector = policies[component]["podSelector"]["matchLabels"]
        assert selector.items() <= pod["metadata"]["labels"].items()


def test_network_policy_ports_exist_in_pods(plain: Recorder) -> None:
    listening = {
        component: {
            port["containerPort"]
            for container_port in pod["spec"]["containers"]
            for port in container_port["ports"]
        }
        for component, pod in pods(plain).items()
    }
    for flow in allowed_flows(()):
        if flow.target.component:
            assert set(flow.ports) <= listening[flow.target.component], str(flow)


def test_network_flows_in_namespace_are_allowed_on_both_ends(plain: Recorder) -> None:
    policies = specs(plain, "NetworkPolicy")
    inside = [flow for flow in allowed_flows(()) if flow.source.component and flow.target.component]
    assert len(inside) == 4
    for flow in inside:
        source = {"app.kubernetes.io/component": flow.source.component}
        target = {"app.kubernetes.io/component": flow.target.component}
        for end, rules, key, peer_labels in (
            (flow.target.component, "ingress", "from", source),
            (flow.source.component, "egress", "to", target),
        ):
            assert [
                rule
                for rule in policies[end][rules]
                if {port["port"] for port in rule["ports"]} == set(flow.ports)
                and any(
                    peer_labels.items() <= peer["podSelector"]["matchLabels"].items()
                    for peer in rule.get(key, [])
                )
            ], str(flow)


def test_external_traffic_reaches_entry_point_only(plain: Recorder) -> None:
    for name, policy in specs(plain, "NetworkPolicy").items():
        anybody = [rule for rule in policy.get("ingress", []) if "from" not in rule]
        open_ports = {port["port"] for rule in anybody for port in rule["ports"]}
        public_ports = {ports.TRAEFIK[entry] for entry in ("web", "plain", "traefik")}
        assert open_ports == (public_ports if name == "ingress-controller" else set())


def test_model_egress_is_limited_to_stack_file(run: Run, plain: Recorder) -> None:
    assert "egress" not in specs(plain, "NetworkPolicy")["model"]
    named = run(MODELS, {**PLATFORM, "modelEgress": ["10.20.0.0/16", "10.30.0.0/24"]})
    assert specs(named, "NetworkPolicy")["model"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}, {"ipBlock": {"cidr": "10.30.0.0/24"}}]}
    ]


def test_metrics_ports_accept_prometheus_only() -> None:
    metrics_ports = {
        flow.target.component: flow.ports
        for flow in allowed_flows(())
        if flow.source.name == "Prometheus"
    }
    assert metrics_ports == {
        "ingress-controller": (ports.TRAEFIK["metrics"],),
        "message-broker": (ports.BROKER["metrics"],),
        "watcher": (ports.WATCHER["health"],),
        "model": (ports.MODEL["health"],),
    }


def test_broker_port_accepts_labeled_consumers_only(plain: Recorder) -> None:
    rules = specs(plain, "NetworkPolicy")["message-broker"]["ingress"]
    (consumers,) = [rule for rule in rules if CONSUMER_LABEL in str(rule)]
    assert [port["port"] for port in consumers["ports"]] == [ports.BROKER["amqp"]]
    assert "management" not in str(rules)
    assert ports.BROKER["management"] not in {
        port["port"] for rule in rules for port in rule["ports"]
    }


def test_network_flows_are_documented(plain: Recorder) -> None:
    page = (ROOT / "docs/production.md").read_text()
    flows = allowed_flows(())
    for component, component_flows in flows_by_component(flows).items():
        name = network_policies.DENY if component not in COMPONENTS else component
        metadata = plain.inputs_of("NetworkPolicy", name)["metadata"]
        assert isinstance(metadata, Mapping)
        assert metadata["annotations"]["model-deployment.io/ways"].splitlines() == [
            *map(str, component_flows)
        ]
    for flow in flows:
        ports = ", ".join(map(str, flow.ports))
        assert f"| {flow.source.name} | {flow.target.name} | {ports} | {flow.reason} |" in page


def test_platform_pods_have_higher_priority_than_models(plain: Recorder) -> None:
    (priority_class,) = [item for item in plain.resources if item.token.endswith(":PriorityClass")]
    # cluster-wide: two stacks may share a cluster, and the way back from a lost state reads the end
    name = "model-deployment-platform-models"
    assert priority_class.inputs["metadata"]["name"] == name  # type: ignore[index]
    assert not priority_class.inputs.get("globalDefault")
    value: Any = priority_class.inputs["value"]
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
    container_args: list[str] = pods(recorder)["ingress-controller"]["spec"]["containers"][0][
        "args"
    ]
    return container_args


def protected(run: Run, **ingress: object) -> Recorder:
    return run(MODELS, {**PLATFORM, "ingressController": ingress})


def test_unset_traefik_options_add_no_middleware(plain: Recorder) -> None:
    assert not [argument for argument in arguments(plain) if "middlewares" in argument]
    assert not {"ingress-controller.headers", "ingress-controller.rate"} & set(
        specs(plain, "Middleware")
    )


def test_model_routes_use_headers_then_rate_limit(run: Run) -> None:
    recorder = protected(
        run,
        securityHeaders=True,
        hstsSeconds=600,
        rateLimit={"average": 5, "burst": 7},
    )
    middlewares = specs(recorder, "Middleware")
    assert middlewares["ingress-controller.rate"]["rateLimit"] == {
        "average": 5,
        "burst": 7,
        "sourceCriterion": {"ipStrategy": {"depth": 0}},
    }
    assert middlewares["ingress-controller.headers"]["headers"] == {
        "contentTypeNosniff": True,
        "frameDeny": True,
        "referrerPolicy": "no-referrer",
        "stsSeconds": 600,
        "forceSTSHeader": True,
    }
    (argument,) = [argument for argument in arguments(recorder) if "middlewares" in argument]
    name, _, value = argument.partition("=")
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
def test_security_headers_are_set_individually(
    run: Run, ingress: dict[str, object], headers: dict[str, object]
) -> None:
    middlewares = specs(protected(run, **ingress), "Middleware")
    assert middlewares["ingress-controller.headers"]["headers"] == headers


def test_http_redirect_is_permanent(plain: Recorder) -> None:
    redirect = "--entrypoints.plain.http.redirections.entrypoint"
    container_args = arguments(plain)
    assert "--entrypoints.plain.address=:8001" in container_args
    assert {f"{redirect}.to=:443", f"{redirect}.scheme=https", f"{redirect}.permanent=true"} <= {
        *container_args
    }
