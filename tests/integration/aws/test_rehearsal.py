"""Production's stack file is deployed, changed and destroyed by the real engine.

AWS is moto, Kubernetes is the local stack's cluster with a second namespace. The actual state is
read from moto by boto3 and from the API server by kubectl, never from Pulumi's state.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.aws import aws_assertions
from tests.integration.aws.account import Account
from tests.support import local_stack
from tests.support.rehearsal import on_this_machine
from tests.support.second_stack import SecondStack
from tests.support.time_limits import at_most

PARTS = ("harness_python", "harness_r", "deployment_watcher")
"""Images that do not belong to models."""


@pytest.fixture
def second_stack(account: Account, pulumi_home: Path, tmp_path: Path) -> Iterator[SecondStack]:
    kubeconfig = local_stack.environment()["KUBECONFIG"]
    on_this_machine(Path(kubeconfig))
    stack = SecondStack(tmp_path, account.file, pulumi_home)
    stack.remove()  # left by a killed rehearsal
    try:
        yield stack
    finally:
        stack.remove()


@pytest.mark.timeout(at_most(1200))
def test_production_is_created_changed_and_destroyed(
    account: Account, second_stack: SecondStack, report: list[str]
) -> None:
    before, neighbours = account.resources(), _neighbours()
    act = _Acts(report)

    act("up", second_stack.up)
    _on_aws(account, second_stack)
    _on_kubernetes(account, second_stack)
    stands = second_stack.objects()
    act("second up", lambda: _has_nothing_to_do(second_stack))

    aws_assertions.drift(account, _first(account.models))
    _drift(account, second_stack)
    assert second_stack.objects() != stands
    act("refresh of drift", lambda: _is_found(account, second_stack))
    act("up that mends", second_stack.up_forced)
    _on_aws(account, second_stack)
    assert second_stack.objects() == stands

    act("destroy refused", lambda: _is_refused(second_stack))
    changed = _changed(account)
    second_stack.write(changed.file)
    act("up of a change", second_stack.up)
    _on_aws(changed, second_stack, protected=False)
    _on_kubernetes(changed, second_stack)
    assert _without_traefik_services(second_stack.objects()) == _without_traefik_services(stands)

    act("destroy", second_stack.destroy)
    assert account.resources() == before
    assert second_stack.state() == []
    assert (second_stack.exists(), second_stack.cluster_wide()) == (False, [])
    assert _neighbours() == neighbours, "the local stack was touched"


class _Acts:
    """Runs steps in sequence and records their durations."""

    def __init__(self, report: list[str]) -> None:
        self._report = report

    def __call__(self, name: str, do: Any) -> None:
        started = time.monotonic()
        do()
        self._report.append(f"{name} {time.monotonic() - started:.1f} s")


def _first(models: dict[str, Any]) -> str:
    return next(iter(models))


def _on_aws(account: Account, second_stack: SecondStack, *, protected: bool = True) -> None:
    """Assert that the load balancer forwards to the node ports of the cluster's Service."""
    service = json.loads(second_stack.kubectl("get", "service", "ingress-controller", "-o", "json"))
    ports = {port["name"]: port["nodePort"] for port in service["spec"]["ports"]}
    aws_assertions.the_way_in(account, ports, protected=protected)
    aws_assertions.the_log(account)
    aws_assertions.the_repositories(account, {*account.models, *PARTS})
    answer = requests.get(f"http://127.0.0.1:{ports['ping']}/ping", timeout=5)
    assert answer.status_code == 200, "the target group's check would fail"


def _on_kubernetes(account: Account, second_stack: SecondStack) -> None:
    """Assert that each version is Available and each route answers by its weights."""
    platform, objects = account.platform, second_stack.objects()
    for part, section in {
        "Deployment ingress-controller": "ingressController",
        "StatefulSet message-broker": "messageBroker",
        "Deployment deployment-watcher": "deploymentWatcher",
    }.items():
        _, body = json.loads(objects[part])
        assert body["spec"]["replicas"] == platform[section]["replicas"]
    base_url = f"http://127.0.0.1:{platform['ingressController']['nodePort']}/models"
    for model, section in account.models.items():
        for version in section["versions"]:
            answer = _get_ok(f"{base_url}/{model}/versions/{version}/ping", platform["hostname"])
            assert answer.headers["X-Model-Version"] == version
        for route, route_section in section["routes"].items():
            weights, _ = json.loads(objects[f"TraefikService {model}-{route}"])
            assert json.loads(weights) == route_section["weights"]
            answer = _get_ok(f"{base_url}/{model}/{route}/ping", platform["hostname"])
            assert answer.headers["X-Model-Version"] in route_section["weights"]


def _get_ok(address: str, hostname: str) -> requests.Response:
    answer = requests.get(address, headers={"Host": hostname}, timeout=30)
    assert answer.status_code == 200, f"{address}: {answer.status_code} {answer.text}"
    return answer


def _has_nothing_to_do(second_stack: SecondStack) -> None:
    """Assert no changes, compared with the state and, after a refresh, with AWS."""
    flags = ("--refresh", "--yes", "--skip-preview", "--expect-no-changes", "--suppress-progress")
    second_stack.pulumi("up", *flags).succeeded()


def _drift(account: Account, second_stack: SecondStack) -> None:
    """Change objects in the namespace by hand: a route, a budget, a Service's port, replicas."""
    model = _first(account.models)
    version = _first(account.models[model]["versions"])
    route = _first(account.models[model]["routes"])
    second_stack.kubectl("delete", "poddisruptionbudget", f"{model}-{version}")
    rules = [{"op": "replace", "path": "/spec/weighted/services/0/weight", "value": 1}]
    patch = ("--type=json", "-p", json.dumps(rules))
    second_stack.kubectl("patch", "traefikservice", f"{model}-{route}", *patch)
    ports = [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 9}]
    patch = ("--type=json", "-p", json.dumps(ports))
    second_stack.kubectl("patch", "service", f"{model}-{version}", *patch)
    second_stack.kubectl("scale", "deployment", "deployment-watcher", "--replicas=1")


def _is_found(account: Account, second_stack: SecondStack) -> None:
    diff = second_stack.pulumi("refresh", "--yes", "--skip-preview", "--diff").succeeded().text
    for fragment in ("update", "ELBSecurityPolicy-2016-08", "0.0.0.0/0", "MUTABLE"):
        assert fragment in diff, diff
    model = _first(account.models)
    version = _first(account.models[model]["versions"])
    lines = diff.splitlines()
    for change, urn in {
        "- ": f"PodDisruptionBudget::{model}-{version}]",
        "~ ": f"core/v1:Service::{model}-{version}]",
    }.items():
        (place,) = (number for number, line in enumerate(lines) if urn in line)
        assert any(line.strip().startswith(change) for line in lines[place - 2 : place]), diff


def _is_refused(second_stack: SecondStack) -> None:
    """Deletion protection refuses `destroy`; the next update restores what was deleted before."""
    (balancer,) = (
        item["urn"]
        for item in second_stack.state()
        if item["type"] == "aws:lb/loadBalancer:LoadBalancer"
    )
    flags = ("--yes", "--skip-preview", "--target-dependents", "--target", balancer)
    assert "deletion protection is enabled" in second_stack.pulumi("destroy", *flags).failed().text


def _changed(account: Account) -> Account:
    """Return a file without deletion protection, and with the first route on its last version."""
    file = copy.deepcopy(account.file)
    changed = Account(account.endpoint, file)
    changed.balancer["deletionProtection"] = False
    model = changed.models[_first(changed.models)]
    *other_versions, last = model["versions"]
    model["routes"][_first(model["routes"])]["weights"] = {
        **dict.fromkeys(other_versions, 0),
        last: 100,
    }
    return changed


def _without_traefik_services(stands: dict[str, str]) -> dict[str, str]:
    """Return the objects without TraefikServices."""
    return {name: body for name, body in stands.items() if not name.startswith("TraefikService")}


def _neighbours() -> dict[str, str]:
    """Return the uids of the local stack's routes and CRDs, so that deletions are detected."""
    kinds = "traefikservices,ingressroutes,middlewares,customresourcedefinitions"
    objects = json.loads(local_stack.kubectl("get", kinds, "-o", "json"))
    return {
        f"{item['kind']} {item['metadata']['name']}": item["metadata"]["uid"]
        for item in objects["items"]
    }
