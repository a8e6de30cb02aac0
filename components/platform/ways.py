"""The ways between the Pods of a stack and to their surroundings: all else is denied.

Each way stands here once, with its reason; the rules of both its ends are made of it. Kubelet's
probes need none: what comes from a Pod's own node is always allowed, by NetworkPolicy's own
definition. `docs/production.md` has the same list for people.
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

from components.naming import annotation
from components.platform import broker_config, deployment_watcher, traefik
from components.serving import container

EVERY_POD = "every Pod"
CONSUMER = annotation("events")
"""Label of a Pod, in any namespace, that may fetch events; its value is `consumer`."""


@dataclass(frozen=True)
class End:
    """Who opens a connection, or takes it: Pods of this stack by `component`, or `others`.

    Without either it is anybody.
    """

    name: str
    component: str = ""
    others: tuple[NetworkPolicyPeerArgsDict, ...] = ()


@dataclass(frozen=True)
class Way:
    """A way that is open, from end to end; without ports, all of them."""

    source: End
    target: End
    ports: tuple[int, ...]
    reason: str
    protocols: tuple[str, ...] = ("TCP",)

    def __str__(self) -> str:
        ports = ", ".join(map(str, self.ports)) or "all ports"
        return f"{self.source.name} -> {self.target.name} ({ports}): {self.reason}"


_EVERY_POD = End(EVERY_POD, EVERY_POD)
_TRAEFIK = End("ingress controller", "ingress-controller")
_BROKER = End("message broker", "message-broker")
_WATCHER = End("watcher", "watcher")
_MODELS = End("models", "model")
_ANYBODY = End("anybody")
_API_SERVER = End("API server")
"""Anybody, by these ports: agents see its address before or after it is translated, as they are."""
_DNS = End(
    "DNS",
    others=(
        {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}},
            "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
        },
    ),
)
_PROMETHEUS = End(
    "Prometheus",
    others=(
        {
            "namespace_selector": {},
            "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}},
        },
    ),
)
_CONSUMERS = End(
    "consumers",
    others=({"namespace_selector": {}, "pod_selector": {"match_labels": {CONSUMER: "consumer"}}},),
)
_DNS_PORT = 53
_API_PORTS = (443, 6443)


def ways(reachable: Sequence[str]) -> list[Way]:
    """All of them; `reachable` are the ranges of addresses that models may open connections to."""
    front, broker, watcher = traefik.PORTS, broker_config.PORTS, deployment_watcher.PORTS
    ranges: tuple[NetworkPolicyPeerArgsDict, ...] = tuple(
        {"ip_block": {"cidr": cidr}} for cidr in reachable
    )
    doors = (front["web"], front["plain"], front["traefik"])
    asked = (container.HTTP_PORT,)
    return [
        Way(_EVERY_POD, _DNS, (_DNS_PORT,), "names of Services", ("UDP", "TCP")),
        Way(_ANYBODY, _TRAEFIK, doors, "the front door; groups of AWS say who gets so far"),
        Way(_TRAEFIK, _API_SERVER, _API_PORTS, "routes and endpoints"),
        Way(_TRAEFIK, _MODELS, asked, "requests"),
        Way(_TRAEFIK, _WATCHER, (watcher["http"],), "the status, and what no model has"),
        Way(_WATCHER, _API_SERVER, _API_PORTS, "versions and their records"),
        Way(_WATCHER, _BROKER, (broker["amqp"],), "events are published"),
        Way(_CONSUMERS, _BROKER, (broker["amqp"],), "events are fetched"),
        Way(_BROKER, _BROKER, tuple(broker_config.PEER_PORTS.values()), "nodes make one cluster"),
        *[
            Way(_PROMETHEUS, end, (port,), "metrics")
            for end, port in (
                (_TRAEFIK, front["metrics"]),
                (_BROKER, broker["metrics"]),
                (_WATCHER, watcher["health"]),
                (_MODELS, container.HEALTH_PORT),
            )
        ],
        *(
            [Way(_MODELS, End("modelEgress", others=ranges), (), "as the stack file has it")]
            if ranges
            else []
        ),
    ]


def components(listed: Sequence[Way]) -> dict[str, list[Way]]:
    """The ways that begin or end at each component."""
    found: dict[str, list[Way]] = {}
    for way in listed:
        for component in dict.fromkeys((way.source.component, way.target.component)):
            if component:
                found.setdefault(component, []).append(way)
    return found


def policy(component: str, listed: Sequence[Way]) -> NetworkPolicySpecArgsDict:
    """The rules of one component's Pods; what none of them allows is denied, in and out."""
    selected: LabelSelectorArgsDict = (
        {} if component == EVERY_POD else {"match_labels": _selector(component)}
    )
    incoming: list[NetworkPolicyIngressRuleArgsDict] = []
    outgoing: list[NetworkPolicyEgressRuleArgsDict] = []
    for way in listed:
        ports = _ports(way)
        if way.target.component == component:
            taken: NetworkPolicyIngressRuleArgsDict = {"ports": ports} if ports else {}
            if sources := _peers(way.source):
                taken["from_"] = sources
            incoming.append(taken)
        if way.source.component == component:
            opened: NetworkPolicyEgressRuleArgsDict = {"ports": ports} if ports else {}
            if targets := _peers(way.target):
                opened["to"] = targets
            outgoing.append(opened)
    found: NetworkPolicySpecArgsDict = {
        "pod_selector": selected,
        "policy_types": ["Ingress", "Egress"],
    }
    # an empty list is not kept by the API server: after an import it would be a difference
    if incoming:
        found["ingress"] = incoming
    if outgoing:
        found["egress"] = outgoing
    return found


def _ports(way: Way) -> list[NetworkPolicyPortArgsDict]:
    return [
        {"port": port, "protocol": protocol} for port in way.ports for protocol in way.protocols
    ]


def _peers(end: End) -> list[NetworkPolicyPeerArgsDict]:
    if end.component:
        return [{"pod_selector": {"match_labels": _selector(end.component)}}]
    return list(end.others)  # none: anybody


def _selector(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "model-deployment",
    }
