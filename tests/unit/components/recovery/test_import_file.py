"""An import file from what Pulumi would create and what the cluster has."""

from __future__ import annotations

from typing import Any

from components.recovery.import_file import filled

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLASS = "kubernetes:networking.k8s.io/v1:IngressClass"


def live_object(name: str, namespace: str | None = "models", component: str = "model") -> Any:
    placed = {"namespace": namespace} if namespace else {}
    labels = {"app.kubernetes.io/component": component}
    return {"metadata": {"name": name, "labels": labels, **placed}}


def entry(token: str, name: str, **more: object) -> Any:
    return {"type": token, "name": name, "id": "<PLACEHOLDER>", **more}


def test_namespaced_object_is_matched_by_name_and_namespace() -> None:
    cluster = {DEPLOYMENT: [live_object("iris-v1"), live_object("iris-v1", "staging")]}
    importable, missing = filled(
        [entry(DEPLOYMENT, "iris-v1", parent="iris")], "models", cluster.__getitem__
    )
    assert importable == [entry(DEPLOYMENT, "iris-v1", parent="iris") | {"id": "models/iris-v1"}]
    assert missing == []


def test_cluster_scoped_object_is_matched_by_label() -> None:
    ours = live_object("model-deployment-models", None, "ingress-controller")
    other_stack = live_object("model-deployment-staging", None, "ingress-controller")
    importable, _ = filled(
        [entry(CLASS, "ingress-controller")], "models", {CLASS: [other_stack, ours]}.__getitem__
    )
    assert [entry["id"] for entry in importable] == ["model-deployment-models"]


def test_object_with_unique_file_name_is_matched_by_pulumi_name() -> None:
    unique = entry(DEPLOYMENT, "iris-v1Deployment", logicalName="iris-v1")
    importable, _ = filled([unique], "models", {DEPLOYMENT: [live_object("iris-v1")]}.__getitem__)
    assert [entry["id"] for entry in importable] == ["models/iris-v1"]


def test_missing_object_is_omitted_and_reported() -> None:
    entries = [entry(DEPLOYMENT, "iris-v2"), entry("docker:index/image:Image", "iris-v1")]
    importable, missing = filled(
        entries, "models", {DEPLOYMENT: [live_object("iris-v1")]}.__getitem__
    )
    assert importable == []
    assert [line.split(":")[0] for line in missing] == ["kubernetes", "docker"]


def test_component_entries_are_unchanged() -> None:
    component = {"type": "model-deployment:serving:Model", "name": "iris", "component": True}
    importable, missing = filled([component], "models", {}.__getitem__)
    assert (importable, missing) == ([component], [])
