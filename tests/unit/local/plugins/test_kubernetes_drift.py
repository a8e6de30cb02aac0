"""What refresh takes for drift, and what the state keeps."""

from __future__ import annotations

from typing import Any

import pytest

from local.plugins.kubernetes import checkpoint
from local.plugins.kubernetes.comparison import in_shape_of, quantity
from local.plugins.kubernetes.forecast import of_dry_run
from local.plugins.kubernetes.ownership import with_ignored
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import UNKNOWN, Secret, reveal

DEPLOYMENT = Kind("apps", "v1", "Deployment")
SECRET = Kind("", "v1", "Secret")


def drifted(inputs: dict[str, Any], live: dict[str, Any], *, built_in: bool = True) -> bool:
    return in_shape_of(inputs, live, built_in=built_in) != inputs


@pytest.mark.parametrize(
    ("inputs", "live"),
    [
        ({"spec": {"replicas": 2}}, {"spec": {"replicas": 2, "minReadySeconds": 0}}),
        ({"resources": {"limits": {"cpu": "0.5"}}}, {"resources": {"limits": {"cpu": "500m"}}}),
        ({"resources": {"limits": {"cpu": 1}}}, {"resources": {"limits": {"cpu": "1"}}}),
        ({"requests": {"memory": "1024Mi"}}, {"requests": {"memory": "1Gi"}}),
        ({"spec": {"hostNetwork": False, "labels": {}}}, {"spec": {}}),
        (
            {"containers": [{"name": "a"}]},
            {"containers": [{"name": "injected"}, {"name": "a", "image": "x"}]},
        ),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 3}]}),
        ({"stringData": {"a": "hi"}}, {"data": {"a": "aGk="}}),
    ],
    ids=[
        "default",
        "fraction",
        "number",
        "unit",
        "zero",
        "injected container",
        "filled port",
        "string data",
    ],
)
def test_another_spelling_a_default_and_an_addition_are_no_drift(
    inputs: dict[str, Any], live: dict[str, Any]
) -> None:
    assert not drifted(inputs, live)


@pytest.mark.parametrize(
    ("inputs", "live"),
    [
        ({"spec": {"replicas": 2}}, {"spec": {"replicas": 3}}),
        ({"resources": {"limits": {"cpu": "0.5"}}}, {"resources": {"limits": {"cpu": "501m"}}}),
        ({"labels": {"version": "1.0"}}, {"labels": {"version": "1"}}),
        ({"spec": {"paused": True}}, {"spec": {}}),
        ({"data": {"a": "1"}}, {"data": {}}),
        ({"args": ["a"]}, {"args": ["a", "b"]}),
        (
            {"containers": [{"name": "a", "image": "x"}]},
            {"containers": [{"name": "a", "image": "y"}]},
        ),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, {"containers": [{"name": "a"}]}),
        ({"stringData": {"a": "hi"}}, {"data": {"a": "aG8="}}),
    ],
)
def test_a_changed_or_missing_value_is_drift(inputs: dict[str, Any], live: dict[str, Any]) -> None:
    assert drifted(inputs, live)


def test_an_entry_added_to_a_custom_objects_list_is_drift() -> None:
    inputs = {"spec": {"ports": [{"name": "a", "weight": 90}]}}
    live = {"spec": {"ports": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]}}
    assert drifted(inputs, live, built_in=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("1Gi", str(2**30)), ("1k", "1000"), ("2", "2"), ("1e3", "1000")],
)
def test_quantities_are_numbers(text: str, value: str) -> None:
    assert str(quantity(text)) == str(quantity(value)) or quantity(text) == quantity(value)
    assert quantity("many") is None


def test_a_secrets_data_is_secret_in_inputs_and_state_even_if_the_program_forgot() -> None:
    live = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"p": "eA=="}}
    inputs = checkpoint.sealed(SECRET, {"stringData": {"p": "x"}}, {"stringData": {"p": "x"}})
    assert inputs["stringData"] == Secret({"p": "x"})
    state = checkpoint.state(SECRET, live, inputs, "manager")
    assert state["data"] == Secret({"p": "eA=="})
    assert state["__inputs"] == inputs


def test_a_secret_value_stays_one_in_the_live_object() -> None:
    inputs = {"spec": {"env": [{"value": Secret("x")}], "size": 1}}
    live = {"spec": {"env": [{"value": "x"}], "size": 1}}
    state = checkpoint.state(DEPLOYMENT, live, inputs, "manager")
    assert state["spec"] == {"env": Secret([{"value": "x"}]), "size": 1}


def test_the_state_is_without_noise() -> None:
    live = {"metadata": {"name": "a", "managedFields": [{}]}, "apiVersion": "apps/v1"}
    state = checkpoint.state(DEPLOYMENT, live, {}, "manager")
    assert state["metadata"] == {"name": "a"}
    assert (state["__fieldManager"], state["__initialApiVersion"]) == ("manager", "apps/v1")


def test_imported_inputs_are_what_a_program_could_have_written() -> None:
    live = {
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "a",
            "uid": "u",
            "resourceVersion": "1",
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {"replicas": 1},
        "status": {"replicas": 1},
    }
    assert checkpoint.imported_inputs(live) == {
        "apiVersion": "apps/v1",
        "metadata": {"name": "a"},
        "spec": {"replicas": 1},
    }


def test_schema_extensions_are_underscored_for_the_sdk_and_dashed_for_the_server() -> None:
    kind = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    written = {"schema": {"x_kubernetes_preserve_unknown_fields": True}}
    sent = checkpoint.plain_inputs(kind, written)
    assert sent == {"schema": {"x-kubernetes-preserve-unknown-fields": True}}
    assert reveal(checkpoint.sealed(kind, sent, {})) == written
    assert checkpoint.plain_inputs(DEPLOYMENT, written) == written


def owned(manager: str, *path: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for step in reversed(path):
        fields = {f"f:{step}": fields}
    return {"manager": manager, "fieldsV1": fields}


@pytest.mark.parametrize(
    ("managers", "sent"),
    [
        (["hpa"], {"other": 1}),
        (["me"], {"other": 1, "replicas": 7}),
        (["hpa", "me"], {"other": 1, "replicas": 7}),
    ],
    ids=["theirs", "ours", "shared"],
)
def test_an_ignored_field_is_left_to_its_owner(managers: list[str], sent: dict[str, int]) -> None:
    live = {
        "metadata": {"managedFields": [owned(name, "spec", "replicas") for name in managers]},
        "spec": {"replicas": 7},
    }
    wanted = {"spec": {"replicas": 2, "other": 1}}
    assert with_ignored(wanted, live, ("spec.replicas",), "me")["spec"] == sent
    assert wanted["spec"]["replicas"] == 2


def test_a_preview_promises_no_address_that_only_the_real_run_gets() -> None:
    result = {
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1"},
        "spec": {"clusterIP": "10.0.0.7", "ports": [{"name": "x", "port": 80, "nodePort": 31000}]},
        "status": {},
    }
    shown = of_dry_run(
        Kind("", "v1", "Service"), result, {"spec": {"ports": [{"name": "x"}]}}, new=True
    )
    assert shown["spec"]["clusterIP"] == UNKNOWN  # type: ignore[index,call-overload]
    assert shown["spec"]["ports"][0]["nodePort"] == UNKNOWN  # type: ignore[index,call-overload]
    assert shown["metadata"]["uid"] == UNKNOWN  # type: ignore[index,call-overload]
    assert shown["metadata"]["name"] == "a"  # type: ignore[index,call-overload]
    assert "status" not in shown
