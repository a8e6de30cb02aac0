"""Production's network policies, enforced by an agent: exactly the documented flows are open."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping

import pytest

from local.build import apt
from tests.integration.policies.node import Connection, Node, Pod, running
from tests.support import rendered_manifests
from tests.support.time_limits import at_most

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated in favor of:DeprecationWarning")
"""pulumi-aws imports deprecated names."""

NAMESPACE = "models"
PORTS = (53, 80, 443, 4369, 5672, 6443, 8000, 8001, 8080, 8081, 9100, 15672, 15692, 25672)
NAMES = (53, -53)
OURS = ("traefik", "broker-0", "broker-1", "watcher", "iris", "mpg", "unlabelled")
OTHERS = {
    "dns": ("kube-system", {"k8s-app": "kube-dns"}),
    "metrics-server": ("kube-system", {"k8s-app": "metrics-server"}),
    "prometheus": ("monitoring", {"app.kubernetes.io/name": "prometheus"}),
    "consumer": ("shop", {"model-deployment.io/events": "consumer"}),
    "stranger": ("shop", {"app": "shop"}),
}
SETTLED_SECONDS = 60.0


def allowed() -> set[Connection]:
    """Return the flows of docs/production.md for these Pods."""
    brokers, models = ("broker-0", "broker-1"), ("iris", "mpg")
    other_pods = tuple(OTHERS)
    rows: list[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]] = [
        (OURS, ("dns",), NAMES),
        (other_pods, ("traefik",), (8000, 8001, 8080)),
        (("traefik", "watcher"), other_pods, (443, 6443)),
        (("traefik",), models, (8080,)),
        (("traefik",), ("watcher",), (8080,)),
        (("watcher", "consumer"), brokers, (5672,)),
        (brokers, brokers, (4369, 25672)),
        (("prometheus",), ("traefik",), (9100,)),
        (("prometheus",), brokers, (15692,)),
        (("prometheus",), ("watcher", *models), (8081,)),
        (other_pods, other_pods, (*PORTS, -53)),  # not part of this stack
    ]
    return {
        connection
        for sources, targets, ports in rows
        for connection in itertools.product(sources, targets, ports)
        if connection[0] != connection[1]
    }


@pytest.fixture(scope="module")
def objects() -> list[rendered_manifests.Object]:
    return rendered_manifests.objects("prod", NAMESPACE)


@pytest.fixture(scope="module")
def node(
    objects: list[rendered_manifests.Object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """Run a node with a Pod of each kind, with production's labels."""
    apt.install(apt.TEST_PACKAGES)
    labels: dict[str, Mapping[str, str]] = {
        item["metadata"]["name"]: item["spec"]["template"]["metadata"]["labels"]
        for item in objects
        if item["kind"] in ("Deployment", "StatefulSet")
    }
    own = {
        "traefik": labels["ingress-controller"],
        "broker-0": labels["message-broker"],
        "broker-1": labels["message-broker"],
        "watcher": labels["deployment-watcher"],
        "iris": labels["iris-v1"],
        "mpg": labels["mpg-v1"],
        "unlabelled": {},
    }
    assert tuple(own) == OURS
    with running(tmp_path_factory.mktemp("node")) as node:
        for namespace in (NAMESPACE, "monitoring", "shop", "kube-system"):
            node.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name, pod_labels in own.items():
            node.add(Pod(name, NAMESPACE, pod_labels))
        for name, (namespace, pod_labels) in OTHERS.items():
            node.add(Pod(name, namespace, pod_labels))
        node.listen(PORTS)
        yield node


def settled(node: Node, expected: set[Connection]) -> set[Connection]:
    """Return the open connections once they equal `expected`, or after a time limit."""
    deadline = time.monotonic() + at_most(SETTLED_SECONDS)
    while (opened := node.opened(PORTS)) != expected and time.monotonic() < deadline:
        time.sleep(1)
    return opened


def test_exactly_allowed_flows_are_open(
    node: Node, objects: list[rendered_manifests.Object]
) -> None:
    names = list(node.pods)
    every = {
        (source, target, port)
        for source, target in itertools.permutations(names, 2)
        for port in (*PORTS, -53)
    }
    # otherwise closed connections might never have been open
    assert settled(node, every) == every
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    assert len(policies) == 5
    for policy in policies:
        node.create(policy)
    opened = settled(node, allowed())
    assert opened - allowed() == set(), "open, and in no line of docs/production.md"
    assert allowed() - opened == set(), "shut, though docs/production.md says that it is open"
