"""The stand-in's rules about types, annotations, configuration and replacement."""

from __future__ import annotations

from typing import Any

import pytest

from local.plugins.differences import compare
from local.plugins.failures import PluginError
from local.plugins.kubernetes import configuration, identity, replacement, steering
from local.plugins.kubernetes.tokens import Kind, kind_of

DEPLOYMENT = Kind("apps", "v1", "Deployment")


@pytest.mark.parametrize(
    ("token", "kind", "api_version"),
    [
        ("kubernetes:apps/v1:Deployment", DEPLOYMENT, "apps/v1"),
        ("kubernetes:core/v1:Service", Kind("", "v1", "Service"), "v1"),
        (
            "kubernetes:traefik.io/v1alpha1:IngressRoute",
            Kind("traefik.io", "v1alpha1", "IngressRoute"),
            "traefik.io/v1alpha1",
        ),
    ],
)
def test_a_token_names_group_version_and_kind(token: str, kind: Kind, api_version: str) -> None:
    assert kind_of(token) == kind
    assert kind_of(token).api_version == api_version


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("kubernetes:helm.sh/v3:Release", "Helm"),
        ("kubernetes:helm.sh/v4:Chart", "Helm"),
        ("kubernetes:yaml/v2:ConfigFile", "ConfigFile"),
        ("kubernetes:kustomize/v2:Directory", "Kustomize"),
        ("kubernetes:core/v1:ConfigMapPatch", "Patch"),
        ("kubernetes:apps/v1:DeploymentList", "list"),
        ("kubernetes:core/v1:ReplicationController", "ReplicationController"),
        ("kubernetes:index:Thing", "not a type"),
        ("docker:index/image:Image", "not a type"),
    ],
)
def test_a_type_that_cannot_be_served_is_refused(token: str, word: str) -> None:
    with pytest.raises(PluginError, match=word):
        kind_of(token)


@pytest.mark.parametrize(
    ("kind", "namespaced"),
    [
        (DEPLOYMENT, True),
        (Kind("", "v1", "Namespace"), False),
        (Kind("rbac.authorization.k8s.io", "v1", "ClusterRole"), False),
        (Kind("rbac.authorization.k8s.io", "v1", "Role"), True),
        (Kind("traefik.io", "v1alpha1", "IngressRoute"), None),
    ],
)
def test_only_the_cluster_knows_where_custom_kinds_live(kind: Kind, namespaced: bool) -> None:
    assert kind.namespaced is namespaced


def annotated(key: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {key: value}}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pulumi.com/skipAwait", "true"),
        ("pulumi.com/patchForce", "false"),
        ("pulumi.com/timeoutSeconds", "30"),
        ("pulumi.com/deletionPropagationPolicy", "Background"),
        ("pulumi.com/waitFor", "condition=Ready"),
        ("pulumi.com/waitFor", "condition=Ready=False"),
        ("pulumi.com/waitFor", "jsonpath={.status.phase}=Running"),
        ("pulumi.com/waitFor", '["jsonpath={.data.token}", "condition=Ready"]'),
        ("model-deployment.io/anything", "at all"),
    ],
)
def test_an_annotation_that_is_honoured_is_no_problem(key: str, value: str) -> None:
    assert steering.problems(annotated(key, value)) == []


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("pulumi.com/skipAwait", "yes", '"true" or "false"'),
        ("pulumi.com/timeoutSeconds", "5m", "whole seconds"),
        ("pulumi.com/deletionPropagationPolicy", "sideways", "foreground"),
        ("pulumi.com/waitFor", "condition", "condition=<type>"),
        ("pulumi.com/waitFor", "jsonpath={.items[*].x}", "jsonpath="),
        ("pulumi.com/waitFor", '["condition=Ready", "cel=true"]', "cel=true"),
        ("pulumi.com/replaceUnready", "true", "does not honour"),
        ("pulumi.com/patchFieldManager", "me", "does not honour"),
        ("pulumi.com/invented", "x", "does not honour"),
    ],
)
def test_an_annotation_that_is_not_honoured_is_refused(key: str, value: str, word: str) -> None:
    [(place, reason)] = steering.problems(annotated(key, value))
    assert place == f'metadata.annotations["{key}"]'
    assert word in reason


@pytest.mark.parametrize(
    ("expression", "live", "holds"),
    [
        (
            "condition=ready",
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            True,
        ),
        (
            "condition=Ready",
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            False,
        ),
        (
            "condition=Ready=False",
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            True,
        ),
        ("condition=Ready", {}, False),
        ("jsonpath={.status.phase}=Bound", {"status": {"phase": "Bound"}}, True),
        ("jsonpath={.status.phase}=Bound", {"status": {"phase": "Pending"}}, False),
        ("jsonpath={.a[1].b}", {"a": [{}, {"b": "x"}]}, True),
        ("jsonpath={.a[1].b}", {"a": [{}]}, False),
        ("jsonpath={.status.ready}=2", {"status": {"ready": 2}}, True),
        ("jsonpath={.data['a.b']}=x", {"data": {"a.b": "x"}}, True),
    ],
)
def test_what_to_wait_for_is_read_from_the_live_object(
    expression: str, live: dict[str, Any], holds: bool
) -> None:
    assert steering.Awaited(expression).holds(live) is holds


def test_a_timeout_comes_from_the_option_the_annotation_or_the_kind() -> None:
    obj = annotated("pulumi.com/timeoutSeconds", "30")
    assert steering.timeout(obj, 5.0, 600.0) == 5.0
    assert steering.timeout(obj, 0.0, 600.0) == 30.0
    assert steering.timeout({}, 0.0, 600.0) == 600.0


@pytest.mark.parametrize(
    ("values", "environment", "key"),
    [
        ({"enableServerSideApply": "false"}, {}, "enableServerSideApply"),
        ({"renderYamlToDirectory": "/tmp/x"}, {}, "renderYamlToDirectory"),
        ({"deleteUnreachable": "true"}, {}, "deleteUnreachable"),
        ({"kubeClientSettings": '{"qps": 1}'}, {}, "kubeClientSettings"),
        ({"clusterIdentifier": "x"}, {}, "clusterIdentifier"),
        ({"invented": "1"}, {}, "invented"),
        ({}, {"PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY": "false"}, "enableServerSideApply"),
        ({}, {"PULUMI_K8S_AWAIT_ALL": "true"}, "awaitAll"),
    ],
)
def test_configuration_that_cannot_be_honoured_is_refused(
    values: dict[str, str], environment: dict[str, str], key: str
) -> None:
    assert [place for place, _ in configuration.problems(values, environment)] == [key]


def test_configuration_that_is_honoured_is_taken() -> None:
    values = {
        "kubeconfig": "/k",
        "context": "c",
        "cluster": "d",
        "namespace": "n",
        "deleteUnreachable": "false",
        "enableServerSideApply": "true",
        "enablePatchForce": "true",
        "version": "4.34.2",
    }
    environment = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
    assert configuration.problems(values, environment) == []
    found = configuration.settings(values, environment)
    assert (found.kubeconfig, found.context, found.cluster, found.namespace) == (
        "/k",
        "c",
        "d",
        "n",
    )
    assert found.enable_patch_force
    assert found.upsert_existing_objects
    assert not found.enable_secret_mutable


def test_a_kubeconfig_that_is_not_there_is_told_with_what_to_set() -> None:
    with pytest.raises(PluginError, match="Set KUBECONFIG"):
        _ = configuration.Settings(kubeconfig="/does/not/exist").kubeconfig_text


@pytest.mark.parametrize(
    ("kind", "old", "new", "replaces"),
    [
        (DEPLOYMENT, {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, False),
        (DEPLOYMENT, {"spec": {"selector": {"a": "1"}}}, {"spec": {"selector": {"a": "2"}}}, True),
        (DEPLOYMENT, {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, True),
        (DEPLOYMENT, {"metadata": {"namespace": "a"}}, {"metadata": {"namespace": "b"}}, True),
        (DEPLOYMENT, {"metadata": {"labels": {}}}, {"metadata": {"labels": {"a": "1"}}}, False),
        (
            Kind("", "v1", "Service"),
            {"spec": {"clusterIP": "1"}},
            {"spec": {"clusterIP": "2"}},
            True,
        ),
        (Kind("", "v1", "Service"), {"spec": {"ports": [1]}}, {"spec": {"ports": [2]}}, False),
        (
            Kind("batch", "v1", "Job"),
            {"spec": {"template": {"a": 1}}},
            {"spec": {"template": {}}},
            True,
        ),
        (Kind("", "v1", "ConfigMap"), {"data": {"a": "1"}}, {"data": {"a": "2"}}, True),
        (Kind("", "v1", "Secret"), {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, True),
        (Kind("", "v1", "PersistentVolumeClaim"), {"spec": {"a": 1}}, {"spec": {"a": 2}}, True),
        (
            Kind("rbac.authorization.k8s.io", "v1", "RoleBinding"),
            {"roleRef": {"name": "a"}},
            {"roleRef": {"name": "b"}},
            True,
        ),
        (Kind("apps", "v1", "StatefulSet"), {"spec": {"serviceName": "a"}}, {"spec": {}}, True),
        (
            Kind("traefik.io", "v1alpha1", "IngressRoute"),
            {"spec": {"a": 1}},
            {"spec": {"a": 2}},
            False,
        ),
    ],
)
def test_what_the_api_server_never_changes_needs_a_new_object(
    kind: Kind, old: dict[str, Any], new: dict[str, Any], replaces: bool
) -> None:
    changes = compare(old, new)
    assert changes
    found = replacement.needs_new_object(kind, changes, new, mutable=False)
    assert bool(found) is replaces


def test_mutable_config_maps_change_in_place_unless_they_are_immutable_themselves() -> None:
    kind = Kind("", "v1", "ConfigMap")
    changes = compare({"data": {"a": "1"}}, {"data": {"a": "2"}})
    assert not replacement.needs_new_object(kind, changes, {}, mutable=True)
    assert replacement.needs_new_object(kind, changes, {"immutable": True}, mutable=True)


def test_the_old_object_goes_first_exactly_when_the_new_one_takes_its_name() -> None:
    same = {"metadata": {"name": "a", "namespace": "n"}}
    assert replacement.deletes_first(same, "n/a")
    assert not replacement.deletes_first({"metadata": {"name": "b", "namespace": "n"}}, "n/a")
    assert not replacement.deletes_first({"metadata": {"name": "a", "namespace": "m"}}, "n/a")
    generated = {"metadata": {**same["metadata"], "annotations": {"pulumi.com/autonamed": "true"}}}
    assert not replacement.deletes_first(generated, "n/a")


def test_a_generated_name_is_stable_for_a_seed_and_adopted_from_the_old_object() -> None:
    first: dict[str, Any] = {"metadata": {}}
    identity.ensure_name(first, {}, "web", b"seed")
    again: dict[str, Any] = {}
    identity.ensure_name(again, {}, "web", b"seed")
    assert first["metadata"]["name"] == again["metadata"]["name"] != "web"
    adopted: dict[str, Any] = {"metadata": {}}
    identity.ensure_name(adopted, first, "web", b"other seed")
    assert adopted == first
    named: dict[str, Any] = {"metadata": {"name": "mine"}}
    identity.ensure_name(named, first, "web", b"seed")
    assert named == {"metadata": {"name": "mine"}}


def test_ids_have_the_namespace_where_there_is_one() -> None:
    assert identity.id_of({"metadata": {"name": "a", "namespace": "n"}}) == "n/a"
    assert identity.id_of({"metadata": {"name": "a"}}) == "a"
    assert identity.parse("n/a") == ("n", "a")
    assert identity.parse("a") == ("", "a")
