"""A route moves only to versions that are Available at that moment."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pytest

from components.live.gate import Gate
from components.live.look import Look
from components.live.reading import UnreadableError
from components.live.state import HAND_OVER, Live, live
from components.spec import parse
from tests.support.live_objects import STARTING, UNAVAILABLE, deployment, route


@dataclass
class FakeCluster:
    """Answers from literal objects by the last part of the path; keeps what was applied."""

    objects: dict[str, dict[str, object]]
    applied: list[tuple[str, str, object]] = field(default_factory=list)

    def get(self, path: str) -> dict[str, object] | None:
        return self.objects.get(path.rpartition("/")[2])

    def apply(self, path: str, manager: str, body: object) -> None:
        self.applied.append((path, manager, body))


def test_available_versions_let_a_route_move() -> None:
    cluster = FakeCluster({"iris-v1": deployment("iris", "v1")})
    Gate(cluster, "models", Live()).check("iris", "prod", ["v1"])


def test_a_version_that_broke_meanwhile_holds_the_route_with_its_reason() -> None:
    broken = deployment("iris", "v2", (UNAVAILABLE, STARTING), revision="3")
    cluster = FakeCluster({"iris-v1": deployment("iris", "v1"), "iris-v2": broken})
    with pytest.raises(pulumi.RunError) as caught:
        Gate(cluster, "models", Live()).check("iris", "prod", ["v1", "v2"])
    text = str(caught.value)
    assert "route iris/prod stays as it is" in text
    assert "v2 is not Available (Deployment does not have minimum availability.)" in text
    assert "v1" not in text.replace("v1 is", "")


def test_a_version_that_is_gone_holds_the_route() -> None:
    with pytest.raises(pulumi.RunError, match="v1 is not there"):
        Gate(FakeCluster({}), "models", Live()).check("iris", "prod", ["v1"])


def test_an_api_server_that_does_not_answer_holds_the_route() -> None:
    class Silent(FakeCluster):
        def get(self, path: str) -> dict[str, object] | None:
            raise UnreadableError("no answer")

    with pytest.raises(pulumi.RunError, match="no answer"):
        Gate(Silent({}), "models", Live()).check("iris", "prod", ["v1"])


def test_only_a_route_that_differs_moves() -> None:
    item = route("iris", "prod", {"v1": 100})
    item["metadata"]["annotations"]["model-deployment.io/route"] = "as it is"  # type: ignore[index]
    gate = Gate(FakeCluster({}), "models", live([], [item]))
    assert not gate.moves("iris", "prod", "as it is")
    assert gate.moves("iris", "prod", "another")
    assert gate.moves("iris", "other", "as it is")


def test_where_the_cluster_is_unknown_nothing_is_asked() -> None:
    gate = Gate(None, "models", Live())
    assert not gate.moves("iris", "prod", "another")


PLATFORM = {"namespace": "models", "registry": "r.test/models", "hostname": "h.test"}


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "models/iris"
    folder.mkdir(parents=True)
    (folder / "predict.py").write_text("def predict(value):\n    return value\n")
    version = {"source": "models/iris", "language": "python", "handler": "predict:predict"}
    scaled = {**version, "autoscaling": {"min": 2, "max": 5, "cpu": 60}}
    return parse(PLATFORM, {"iris": {"versions": {"v1": scaled, "v2": version}}}, tmp_path)


def hand_over(
    spec, standing: list[dict[str, object]], objects: dict[str, dict[str, object]] | None = None
) -> list[tuple[str, str, object]]:
    cluster = FakeCluster(objects or {})
    seen = live(standing, [])
    Look(seen, Gate(cluster, "models", seen), cluster, "models").hand_over(spec)
    return cluster.applied


def test_replicas_are_held_before_an_autoscaler_takes_over(spec) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    ((path, manager, body),) = hand_over(spec, [deployment("iris", "v1", replicas=4)])
    assert path.endswith("/namespaces/models/deployments/iris-v1")
    assert manager == HAND_OVER
    assert body["spec"] == {"replicas": 4}


def test_nothing_is_held_where_an_autoscaler_already_has_them_or_none_is_wanted(
    spec,
) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    held = deployment("iris", "v1", manager=HAND_OVER)
    assert hand_over(spec, [held, deployment("iris", "v2")]) == []


def test_an_autoscaler_that_goes_keeps_to_the_file_s_number_until_it_is_gone(spec) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    scaled = deployment("iris", "v2", manager=HAND_OVER, replicas=5)
    ((path, manager, body),) = hand_over(spec, [scaled], {"iris-v2": {}})
    assert path.endswith("/namespaces/models/horizontalpodautoscalers/iris-v2")
    assert manager == HAND_OVER
    assert body["spec"] == {"minReplicas": 1, "maxReplicas": 1}


def test_a_number_by_hand_is_no_autoscaler_s(spec) -> None:
    pulumi.runtime.settings.SETTINGS.dry_run = False
    assert hand_over(spec, [deployment("iris", "v2", manager=HAND_OVER)]) == []
