"""The allowed network flows of a stack; all other connections are denied.

Each flow is listed once, with its reason; the rules of both ends are derived from it. Kubelet's
probes need no flow: NetworkPolicy always allows traffic from a Pod's node. `docs/production.md`
documents the same list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pulumi_kubernetes.meta.v1 import LabelSelectorArgsDict
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyIngressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
    NetworkPolicySpecArgsDict,
)

from components import ports
from components.naming import PROMETHEUS, annotation

EVERY_POD = "every Pod"
CONSUMER_LABEL = annotation("events")
"""Label of Pods, in any namespace, that may consume events; its value is `consumer`."""


@dataclass(frozen=True)
class Peer:
    """A source or target: Pods of this stack by `component`, or `others`; neither means any."""

    name: str
    component: str = ""
    selectors: tuple[NetworkPolicyPeerArgsDict, ...] = ()


@dataclass(frozen=True)
class Flow:
    """An allowed flow from source to target; without ports, all ports."""

    source: Peer
    target: Peer
    ports: tuple[int, ...]
    reason: str
    protocols: tuple[str, ...] = ("TCP",)

    def __str__(self) -> str:
        ports = ", ".join(map(str, self.ports)) or "all ports"
        return f"{self.source.name} -> {self.target.name} ({ports}): {self.reason}"


_EVERY_POD = Peer(EVERY_POD, EVERY_POD)
_TRAEFIK = Peer("ingress controller", "ingress-controller")
_BROKER = Peer("message broker", "message-broker")
_WATCHER = Peer("watcher", "watcher")
_MODELS = Peer("models", "model")
_ANY_SOURCE = Peer("anybody")
_API_SERVER = Peer("API server")
"""Any source to these ports: network agents may see client addresses before or after NAT."""
_DNS = Peer(
    "DNS",
    selectors=(
        {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}},
            "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
        },
    ),
)
_PROMETHEUS = Peer(
    "Prometheus",
    selectors=(
        {
            "namespace_selector": {},
            "pod_selector": {"match_labels": {"app.kubernetes.io/name": PROMETHEUS}},
        },
    ),
)
_CONSUMERS = Peer(
    "consumers",
    selectors=(
        {"namespace_selector": {}, "pod_selector": {"match_labels": {CONSUMER_LABEL: "consumer"}}},
    ),
)
_DNS_PORT = 53
_API_PORTS = (443, 6443)


def allowed_flows(egress_cidrs: Sequence[str]) -> list[Flow]:
    """Return all allowed flows; models may connect to addresses in `egress_cidrs`."""
    front, broker, watcher = ports.TRAEFIK, ports.BROKER, ports.WATCHER
    ranges: tuple[NetworkPolicyPeerArgsDict, ...] = tuple(
        {"ip_block": {"cidr": cidr}} for cidr in egress_cidrs
    )
    public_ports = (front["web"], front["plain"], front["traefik"])
    model_ports = (ports.MODEL["http"],)
    return [
        Flow(_EVERY_POD, _DNS, (_DNS_PORT,), "names of Services", ("UDP", "TCP")),
        Flow(
            _ANY_SOURCE,
            _TRAEFIK,
            public_ports,
            "the front door; groups of AWS say who gets so far",
        ),
        Flow(_TRAEFIK, _API_SERVER, _API_PORTS, "routes and endpoints"),
        Flow(_TRAEFIK, _MODELS, model_ports, "requests"),
        Flow(_TRAEFIK, _WATCHER, (watcher["http"],), "the status, and what no model has"),
        Flow(_WATCHER, _API_SERVER, _API_PORTS, "versions and their records"),
        Flow(_WATCHER, _BROKER, (broker["amqp"],), "events are published"),
        Flow(_CONSUMERS, _BROKER, (broker["amqp"],), "events are fetched"),
        Flow(_BROKER, _BROKER, tuple(ports.BROKER_CLUSTERING.values()), "nodes make one cluster"),
        *[
            Flow(_PROMETHEUS, end, (port,), "metrics")
            for end, port in (
                (_TRAEFIK, front["metrics"]),
                (_BROKER, broker["metrics"]),
                (_WATCHER, watcher["health"]),
                (_MODELS, ports.MODEL["health"]),
            )
        ],
        *(
            [Flow(_MODELS, Peer("modelEgress", selectors=ranges), (), "as the stack file has it")]
            if ranges
            else []
        ),
    ]


def flows_by_component(flows: Sequence[Flow]) -> dict[str, list[Flow]]:
    """Return the flows that start or end at each component."""
    spec: dict[str, list[Flow]] = {}
    for flow in flows:
        for component in dict.fromkeys((flow.source.component, flow.target.component)):
            if component:
                spec.setdefault(component, []).append(flow)
    return spec


def policy(component: str, flows: Sequence[Flow]) -> NetworkPolicySpecArgsDict:
    """Return the policy rules of a component's Pods; all other connections are denied."""
    selected: LabelSelectorArgsDict = (
        {} if component == EVERY_POD else {"match_labels": _selector(component)}
    )
    ingress: list[NetworkPolicyIngressRuleArgsDict] = []
    egress: list[NetworkPolicyEgressRuleArgsDict] = []
    for flow in flows:
        ports = {"ports": _ports(flow)} if flow.ports else {}
        if flow.target.component == component:
            sources = _peers(flow.source)
            ingress.append({**ports, **({"from_": sources} if sources else {})})
        if flow.source.component == component:
            targets = _peers(flow.target)
            egress.append({**ports, **({"to": targets} if targets else {})})
    return {
        "pod_selector": selected,
        "policy_types": ["Ingress", "Egress"],
        # the API server drops an empty list, which would be a difference after an import
        **({"ingress": ingress} if ingress else {}),
        **({"egress": egress} if egress else {}),
    }


def _ports(flow: Flow) -> list[NetworkPolicyPortArgsDict]:
    return [
        {"port": port, "protocol": protocol} for port in flow.ports for protocol in flow.protocols
    ]


def _peers(end: Peer) -> list[NetworkPolicyPeerArgsDict]:
    if end.component:
        return [{"pod_selector": {"match_labels": _selector(end.component)}}]
    return list(end.selectors)  # none: any source


def _selector(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "model-deployment",
    }
