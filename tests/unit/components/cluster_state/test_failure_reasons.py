"""The text about a failed workload, from the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from components.cluster_state.client import ClusterClient, ClusterUnavailableError
from components.cluster_state.failure_reasons import failure_text
from tests.support.k8s_objects import AVAILABLE, FINISHED, STARTING, UNAVAILABLE, deployment

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
NOT_READY = {
    "status": {
        "phase": "Running",
        "containerStatuses": [{"name": "model", "started": True, "state": {"running": {}}}],
    }
}
SELECTOR = "app.kubernetes.io/name=iris,app.kubernetes.io/version=v2"


@dataclass
class FakeCluster:
    """Answers with one workload and its Pods; keeps what it was asked for."""

    workload: dict[str, object] | None
    pods: list[dict[str, object]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> dict[str, object] | None:
        self.requests.append(path)
        if path.endswith("/events"):
            assert query == [("fieldSelector", "reason=Evicted,involvedObject.kind=Pod")]
            return {"items": self.events}
        return self.workload

    def items(self, path: str, selector: str) -> list[dict[str, object]]:
        self.requests.append(f"{path}?{selector}")
        return [{"metadata": {}, **pod} for pod in self.pods]

    def text(self, token: str = DEPLOYMENT, name: str = "iris-v2") -> str:
        return failure_text(cast("ClusterClient", self), "models", token, name)


def broken(*conditions: dict[str, str]) -> dict[str, object]:
    return deployment("iris", "v2", conditions or (UNAVAILABLE, STARTING), deadline_seconds=20)


def test_failure_text_has_path_reason_and_remedy() -> None:
    cluster = FakeCluster(broken(), [NOT_READY])
    assert cluster.text() == (
        "Deployment models/iris-v2 did not become Available within 20 s: "
        "ProbeFailing: container model runs, its readiness probe has not succeeded\n"
        f"See `kubectl -n models describe pods -l {SELECTOR}`."
    )
    assert cluster.requests == [
        "/apis/apps/v1/namespaces/models/deployments/iris-v2",
        f"/api/v1/namespaces/models/pods?{SELECTOR}",
    ]


def test_failure_text_names_eviction_of_a_pod_that_ended_with_status_0() -> None:
    ended = {"metadata": {"name": "iris-v2-a"}, "status": {"phase": "Succeeded"}}
    message = 'Usage of EmptyDir volume "tmp" exceeds the limit "128Mi".'
    evicted = {"involvedObject": {"name": "iris-v2-a"}, "message": message}
    unrelated = {"involvedObject": {"name": "echo-v1-a"}, "message": "not this one"}
    cluster = FakeCluster(broken(), [NOT_READY, ended], events=[unrelated, evicted])
    expected = f"{message.removesuffix('.')}; set temporaryStorage"
    assert f"within 20 s: Evicted: {expected}\n" in cluster.text()
    assert "Evicted" not in FakeCluster(broken(), [NOT_READY, ended], events=[unrelated]).text()


def test_failure_text_of_update_names_new_pods_while_old_ones_serve() -> None:
    assert "ProbeFailing" in FakeCluster(broken(AVAILABLE, STARTING), [NOT_READY]).text()


def test_failure_text_of_stateful_set_has_no_deadline() -> None:
    workload = {
        "metadata": {"name": "message-broker"},
        "spec": {"selector": {"matchLabels": {"app.kubernetes.io/component": "message-broker"}}},
    }
    cluster = FakeCluster(workload, [NOT_READY])
    text = cluster.text(STATEFUL_SET, "message-broker")
    assert text.startswith("StatefulSet models/message-broker did not become Available: Probe")
    assert cluster.requests[0].endswith("/statefulsets/message-broker")


@pytest.mark.parametrize(
    "cluster",
    [
        FakeCluster(None),
        FakeCluster(broken()),
        FakeCluster(broken(AVAILABLE, FINISHED), [NOT_READY]),
    ],
    ids=["never created", "no reason known", "change refused by the API server"],
)
def test_failure_text_is_empty_where_pods_are_not_the_reason(cluster: FakeCluster) -> None:
    assert cluster.text() == ""


def test_failure_text_reports_unreadable_cluster() -> None:
    class Silent(FakeCluster):
        def get(self, path: str) -> dict[str, object] | None:
            raise ClusterUnavailableError("connection refused")

    assert Silent(None).text() == (
        "Deployment models/iris-v2: cannot read why it failed: connection refused"
    )
