"""Imported Kubernetes objects get the declared inputs with live values, and the live manager."""

from __future__ import annotations

from typing import Any

from components.recovery.adopt_objects import with_declared_inputs

URN = "urn:pulumi:prod::model-deployment::kubernetes:core/v1:Service::iris-v1"
MARK = "4dabf18193072939515e22adb298388d"


def adopt(
    live: dict[str, Any], declared: dict[str, Any], imported: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the completed resource of an object that has no metadata but its name."""
    metadata = {
        "name": "iris-v1",
        "uid": "1",
        "managedFields": [
            {"manager": "kube-controller-manager", "operation": "Update"},
            {"manager": "pulumi-kubernetes-before", "operation": "Apply"},
        ],
    }
    outputs = {"metadata": metadata, **live, "__fieldManager": "pulumi-kubernetes-imported"}
    resource = {
        "urn": URN,
        "type": "kubernetes:core/v1:Service",
        "inputs": {"metadata": {"name": "iris-v1"}, **(live if imported is None else imported)},
        "outputs": outputs,
    }
    inputs = {"metadata": {"name": "iris-v1"}, **declared}
    preview = {"steps": [{"urn": URN, "newState": {"inputs": inputs}}]}
    state = with_declared_inputs(preview, {"deployment": {"resources": [resource]}})
    [completed] = state["deployment"]["resources"]  # type: ignore[index]
    assert completed["outputs"]["__inputs"] == completed["inputs"]
    return dict(completed)


def test_fields_that_the_api_server_added_are_no_inputs() -> None:
    live = {"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "clusterIP": "10.0.0.1"}}
    declared = {"spec": {"ports": [{"port": 80}]}}
    assert adopt(live, declared)["inputs"] == {"metadata": {"name": "iris-v1"}, **declared}


def test_live_manager_replaces_the_one_of_the_import() -> None:
    outputs = adopt({"spec": {}}, {"spec": {}})["outputs"]
    assert outputs["__fieldManager"] == "pulumi-kubernetes-before"


def test_drift_remains_a_difference() -> None:
    live = {"spec": {"replicas": 3, "args": ["a", "b"]}}
    declared = {"spec": {"replicas": 2, "args": ["a"], "paused": True}}
    assert adopt(live, declared)["inputs"]["spec"] == {"replicas": 3, "args": ["a", "b"]}


def test_spec_of_a_custom_object_comes_from_its_outputs() -> None:
    spec = {"routes": [{"match": "Path(`/`)"}]}
    assert adopt({"spec": spec}, {"spec": spec}, imported={})["inputs"]["spec"] == spec


def test_encrypted_value_stays_as_it_is() -> None:
    data = {MARK: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
    assert adopt({"data": data}, {"data": {"password": "bmV3"}})["inputs"]["data"] == data


def test_quantity_in_another_form_is_no_drift() -> None:
    live = {"spec": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2"}}}
    declared = {"spec": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"cpu": "1"}}}
    adopted = adopt(live, declared)["inputs"]["spec"]
    assert adopted == {"requests": declared["spec"]["requests"], "limits": {"cpu": "2"}}


def test_resource_that_the_program_does_not_declare_stays_as_it_is() -> None:
    resource = {"urn": URN, "type": "kubernetes:core/v1:Service", "inputs": {"a": 1}}
    state = {"deployment": {"resources": [resource]}}
    preview = {"steps": [{"urn": URN, "oldState": {}}]}
    assert with_declared_inputs(preview, state) == state
