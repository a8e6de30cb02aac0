"""The broker and the watcher as they stand: queues, the front door's rest, metrics."""

from __future__ import annotations

import json

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support import local_stack
from tests.support.local_stack import FRONT_DOOR, NAMESPACE
from tests.support.monitoring import EXPRESSIONS, parse_expression


def test_the_queues_are_there_on_every_node_of_the_broker() -> None:
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


def test_what_no_model_has_is_answered_in_json_by_the_watcher() -> None:
    answers = {
        path: requests.get(f"{FRONT_DOOR}{path}", timeout=5)
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


def test_the_status_knows_the_models_that_the_front_door_leads_to() -> None:
    models = requests.get(f"{FRONT_DOOR}/status/models", timeout=5).json()["models"]
    names = {
        item["metadata"]["labels"]["app.kubernetes.io/name"]
        for item in local_stack.objects("deployments", "app.kubernetes.io/component=model")
    }
    assert {model["model"] for model in models} == names


@pytest.fixture(scope="module")
def exported_metrics() -> set[str]:
    """Names of all metrics that the Pods show where their annotations say."""
    # what is counted by status is there from the first answer on
    requests.get(f"{FRONT_DOOR}/models/iris/prod/model", timeout=5)
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


def test_every_part_shows_the_metrics_that_dashboard_and_alerts_ask_for(
    exported_metrics: set[str],
) -> None:
    required = {
        name for _, expression in EXPRESSIONS for name in parse_expression(expression) if name
    }
    assert required - exported_metrics == set()
