"""Broker and watcher: queues, paths without a model, metrics."""

from __future__ import annotations

import json

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support import local_stack
from tests.support.local_stack import ENTRY_POINT_URL, NAMESPACE
from tests.support.monitoring import EXPRESSIONS, parse_expression


def test_queues_have_members_on_every_node() -> None:
    queues_json = local_stack.kubectl(
        "exec", "message-broker-0", "--",
        "rabbitmqctl", "--quiet", "--formatter", "json",
        "list_queues", "name", "type", "members", "policy",
    )  # fmt: skip
    queues = {queue["name"]: queue for queue in json.loads(queues_json)}
    (broker,) = local_stack.objects("statefulsets")
    for name, policy in {
        "model-events": "queues",
        "model-events.dead-letters": "dead-letters",
    }.items():
        assert queues[name]["type"] == "quorum"
        assert queues[name]["policy"] == policy
        assert len(queues[name]["members"]) == broker["spec"]["replicas"]


def test_unknown_paths_get_json_from_watcher() -> None:
    answers = {
        path: requests.get(f"{ENTRY_POINT_URL}{path}", timeout=5)
        for path in (
            "/v2",
            "/v2/health/live",
            "/v2/health/ready",
            "/nothing",
            "/models/none/prod/x",
        )
    }
    assert [answer.status_code for answer in answers.values()] == [200, 200, 200, 404, 404]
    assert answers["/v2"].json()["name"] == "model-deployment"
    assert "/nothing" in answers["/nothing"].json()["error"]


def test_status_lists_every_routed_model() -> None:
    models = requests.get(f"{ENTRY_POINT_URL}/status/models", timeout=5).json()["models"]
    names = {
        item["metadata"]["labels"]["app.kubernetes.io/name"]
        for item in local_stack.objects("deployments", "app.kubernetes.io/component=model")
    }
    assert {model["model"] for model in models} == names


@pytest.fixture(scope="module")
def exported_metrics() -> set[str]:
    """Return the names of all metrics at the annotated ports of the Pods."""
    # counters by status exist after the first response
    requests.get(f"{ENTRY_POINT_URL}/models/iris/prod/model", timeout=5)
    names: set[str] = set()
    for pod in local_stack.objects("pods"):
        annotations = pod["metadata"].get("annotations", {})
        if annotations.get("prometheus.io/scrape") != "true":
            continue
        place = f"{pod['metadata']['name']}:{annotations['prometheus.io/port']}"
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{place}/proxy/metrics"
        text = local_stack.kubectl("get", "--raw", path)
        families = text_string_to_metric_families(text)
        names |= {sample.name for family in families for sample in family.samples}
    return names


def test_pods_export_metrics_of_dashboard_and_alerts(
    exported_metrics: set[str],
) -> None:
    required = {
        name for _, expression in EXPRESSIONS for name in parse_expression(expression) if name
    }
    assert required - exported_metrics == set()
