"""A route moves only to versions that are Available at that moment."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pytest

from components.cluster_state.availability_gate import AvailabilityGate
from components.cluster_state.client import ClusterUnavailableError
from components.cluster_state.snapshot import ClusterSnapshot
from components.cluster_state.state import FIELD_MANAGER, ClusterState, parse_cluster_state
from components.config import parse
from tests.support.k8s_objects import STARTING, UNAVAILABLE, deployment, route


@dataclass
class FakeCluster:
    """Answers from literal objects by the last part of the path; keeps what was applied."""

    objects: dict[str, dict[str, object]]
    pods: list[dict[str, object]] = field(default_factory=list)
    applied: list[tuple[str, str, object]] = field(default_factory=list)

    def get(self, path: str) -> dict[str, object] | None:
        return self.objects.get(path.rpartition("/")[2])

    def items(self, path: str, selector: str) -> list[dict[str, object]]:
        assert path == "/api/v1/namespaces/models/pods"
        assert selector == "app.kubernetes.io/name=iris,app.kubernetes.io/version=v2"
        return self.pods

    def apply(self, path: str, manager: str, body: object) -> None:
        self.applied.append((path, manager, body))


def test_gate_allows_route_to_available_versions() -> None:
    cluster = FakeCluster({"iris-v1": deployment("iris", "v1")})
    AvailabilityGate(cluster, "models", ClusterState()).check("iris", "prod", ["v1"])


def test_gate_refuses_unavailable_version_with_reason_of_its_pods() -> None:
    broken = deployment("iris", "v2", (UNAVAILABLE, STARTING), revision="3")
    pod = {"phase": "Failed", "reason": "Evicted", "message": "low on resource: memory."}
    cluster = FakeCluster({"iris-v2": broken}, [{"metadata": {}, "status": pod}])
    with pytest.raises(pulumi.RunError) as caught:
        AvailabilityGate(cluster, "models", ClusterState()).check("iris", "prod", ["v2"])
    text = str(caught.value)
    assert "route iris/prod was not changed" in text
    assert "v2 is not Available (Evicted: low on resource: memory.)" in text


def test_gate_names_only_unavailable_versions() -> None:
    objects = {
        "iris-v1": deployment("iris", "v1"),
        "iris-v2": deployment("iris", "v2", (UNAVAILABLE, STARTING), revision="3"),
    }
    with pytest.raises(pulumi.RunError) as caught:
        AvailabilityGate(FakeCluster(objects), "models", ClusterState()).check(
            "iris", "prod", ["v1", "v2"]
        )
    text = str(caught.value)
    assert "v2 is not Available (its rollout has not finished)" in text
    assert "v1" not in text


@pytest.mark.parametrize(
    ("replicas", "ready", "paused", "reason"),
    [
        (0, 0, False, "it is scaled to 0 replicas"),
        (2, 0, False, "0 of 2 replicas are ready"),
        (2, 2, True, "it is paused; run kubectl rollout resume"),
        (0, 0, True, "it is paused"),
    ],
)
def test_gate_refuses_version_that_cannot_serve_despite_its_condition(
    replicas: int, ready: int, paused: bool, reason: str
) -> None:
    item = deployment("iris", "v2", replicas=replicas, ready=ready, paused=paused)
    with pytest.raises(pulumi.RunError, match="is not Available") as caught:
        AvailabilityGate(FakeCluster({"iris-v2": item}), "models", ClusterState()).check(
            "iris", "prod", ["v2"]
        )
    assert reason in str(caught.value)


def test_gate_allows_version_with_some_ready_replicas() -> None:
    item = deployment("iris", "v2", replicas=3, ready=1)
    AvailabilityGate(FakeCluster({"iris-v2": item}), "models", ClusterState()).check(
        "iris", "prod", ["v2"]
    )


def test_gate_refuses_missing_version() -> None:
    with pytest.raises(pulumi.RunError, match="version v1 does not exist"):
        AvailabilityGate(FakeCluster({}), "models", ClusterState()).check("iris", "prod", ["v1"])


def test_gate_refuses_route_when_api_server_is_unreachable() -> None:
    class Silent(FakeCluster):
        def get(self, path: str) -> dict[str, object] | None:
            raise ClusterUnavailableError("no answer")

    with pytest.raises(pulumi.RunError, match="no answer"):
        AvailabilityGate(Silent({}), "models", ClusterState()).check("iris", "prod", ["v1"])


def test_gate_checks_changed_routes_only() -> None:
    item = route("iris", "prod", {"v1": 100})
    item["metadata"]["annotations"]["model-deployment.io/route"] = "as it is"  # type: ignore[index]
    gate = AvailabilityGate(FakeCluster({}), "models", parse_cluster_state([], [item]))
    assert not gate.route_changed("iris", "prod", "as it is")
    assert gate.route_changed("iris", "prod", "another")
    assert gate.route_changed("iris", "other", "as it is")


def test_gate_of_unknown_cluster_sends_no_request() -> None:
    gate = AvailabilityGate(None, "models", ClusterState())
    assert not gate.route_changed("iris", "prod", "another")


PLATFORM = {"namespace": "models", "registry": "r.test/models", "hostname": "h.test"}


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "models/iris"
    folder.mkdir(parents=True)
    (folder / "predict.py").write_text("def predict(value):\n    return value\n")
    version = {"source": "models/iris", "language": "python", "handler": "predict:predict"}
    scaled = {**version, "autoscaling": {"min": 2, "max": 5, "cpu": 60}}
    return parse(PLATFORM, {"iris": {"versions": {"v1": scaled, "v2": version}}}, tmp_path)


def transfer_replicas(
    spec, deployments: list[dict[str, object]], objects: dict[str, dict[str, object]] | None = None
) -> list[tuple[str, str, object]]:
    cluster = FakeCluster(objects or {})
    snapshot = parse_cluster_state(deployments, [])
    ClusterSnapshot(
        snapshot, AvailabilityGate(cluster, "models", snapshot), cluster, "models"
    ).transfer_replicas(spec)
    return cluster.applied


def test_replicas_are_transferred_before_autoscaler_is_created(spec) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    ((path, manager, body),) = transfer_replicas(spec, [deployment("iris", "v1", replicas=4)])
    assert path.endswith("/namespaces/models/deployments/iris-v1")
    assert manager == FIELD_MANAGER
    assert body["spec"] == {"replicas": 4}


def test_replicas_with_existing_or_no_autoscaler_are_not_transferred(
    spec,
) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    managed = deployment("iris", "v1", manager=FIELD_MANAGER)
    assert transfer_replicas(spec, [managed, deployment("iris", "v2")]) == []


def test_removed_autoscaler_is_fixed_to_replicas_of_stack_file(spec) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    scaled = deployment("iris", "v2", manager=FIELD_MANAGER, replicas=5)
    ((path, manager, body),) = transfer_replicas(spec, [scaled], {"iris-v2": {}})
    assert path.endswith("/namespaces/models/horizontalpodautoscalers/iris-v2")
    assert manager == FIELD_MANAGER
    assert body["spec"] == {"minReplicas": 1, "maxReplicas": 1}


def test_manually_scaled_replicas_are_not_attributed_to_autoscaler(spec) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    assert transfer_replicas(spec, [deployment("iris", "v2", manager=FIELD_MANAGER)]) == []
