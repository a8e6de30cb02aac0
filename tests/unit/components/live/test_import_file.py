"""An import file from what Pulumi would create and what the cluster has."""

from __future__ import annotations

from typing import Any

from components.live.import_file import filled

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLASS = "kubernetes:networking.k8s.io/v1:IngressClass"


def standing(name: str, namespace: str | None = "models", component: str = "model") -> Any:
    placed = {"namespace": namespace} if namespace else {}
    labels = {"app.kubernetes.io/component": component}
    return {"metadata": {"name": name, "labels": labels, **placed}}


def entry(token: str, name: str, **more: object) -> Any:
    return {"type": token, "name": name, "id": "<PLACEHOLDER>", **more}


def test_an_object_is_found_by_its_name_in_its_own_namespace() -> None:
    cluster = {DEPLOYMENT: [standing("iris-v1"), standing("iris-v1", "staging")]}
    kept, missing = filled(
        [entry(DEPLOYMENT, "iris-v1", parent="iris")], "models", cluster.__getitem__
    )
    assert kept == [entry(DEPLOYMENT, "iris-v1", parent="iris") | {"id": "models/iris-v1"}]
    assert missing == []


def test_a_cluster_wide_object_is_found_by_its_label() -> None:
    ours = standing("model-deployment-models", None, "ingress-controller")
    others = standing("model-deployment-staging", None, "ingress-controller")
    kept, _ = filled(
        [entry(CLASS, "ingress-controller")], "models", {CLASS: [others, ours]}.__getitem__
    )
    assert [each["id"] for each in kept] == ["model-deployment-models"]


def test_pulumis_own_name_counts_where_the_file_made_names_unique() -> None:
    unique = entry(DEPLOYMENT, "iris-v1Deployment", logicalName="iris-v1")
    kept, _ = filled([unique], "models", {DEPLOYMENT: [standing("iris-v1")]}.__getitem__)
    assert [each["id"] for each in kept] == ["models/iris-v1"]


def test_what_is_not_there_is_left_out_and_told() -> None:
    entries = [entry(DEPLOYMENT, "iris-v2"), entry("docker:index/image:Image", "iris-v1")]
    kept, missing = filled(entries, "models", {DEPLOYMENT: [standing("iris-v1")]}.__getitem__)
    assert kept == []
    assert [line.split(":")[0] for line in missing] == ["kubernetes", "docker"]


def test_components_stay_as_they_are() -> None:
    component = {"type": "model-deployment:serving:Model", "name": "iris", "component": True}
    kept, missing = filled([component], "models", {}.__getitem__)
    assert (kept, missing) == ([component], [])
