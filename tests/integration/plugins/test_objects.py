"""The life of an object: create, change, replace, drift, import, delete."""

from __future__ import annotations

import json
import time

from tests.integration.plugins.stacks import Declared, Stack, config_map, deployment, kubectl, live


def service(namespace: str, **spec: object) -> Declared:
    return Declared(
        "kubernetes:core/v1:Service",
        "front",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "front",
                "namespace": namespace,
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}], **spec},
        },
    )


def idle(namespace: str, **changes: object) -> Declared:
    """A Deployment without pods: its object is what matters."""
    declared = deployment(namespace, "idle", {"image": "nowhere/none:1"}, replicas=0)
    declared.inputs["spec"].update(changes)
    return declared


def secret(namespace: str, password: str) -> Declared:
    return Declared(
        "kubernetes:core/v1:Secret",
        "access",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "access", "namespace": namespace},
            "stringData": {"password": {"$secret": password}},
        },
    )


def test_objects_come_change_and_go_and_nothing_is_left_to_do(stack: Stack) -> None:
    namespace = stack.namespace
    resources = {"limits": {"cpu": "0.5", "memory": "1024Mi"}}
    declared = idle(namespace)
    declared.inputs["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    stack.declare(declared, service(namespace), secret(namespace, "hunter2"))
    preview = stack.succeed("preview", "--suppress-progress")
    assert "+ 4 to create" in preview
    stack.up()
    assert live("deployment", "idle", namespace)["spec"]["replicas"] == 0
    stack.unchanged()
    # Quantities in another spelling, defaults and status are no drift.
    stack.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    declared.inputs["spec"]["revisionHistoryLimit"] = 3
    stack.declare(declared, service(namespace), secret(namespace, "hunter2"))
    diff = stack.succeed("preview", "--diff", "--suppress-progress")
    assert "+ revisionHistoryLimit: 3" in diff
    assert "1 to update" in diff
    stack.up()
    assert live("deployment", "idle", namespace)["spec"]["revisionHistoryLimit"] == 3

    stack.declare(service(namespace))
    stack.up()
    assert kubectl("-n", namespace, "get", "deployment", "idle", "--ignore-not-found") == ""
    stack.succeed("destroy", "--yes", "--skip-preview")
    assert kubectl("-n", namespace, "get", "service", "front", "--ignore-not-found") == ""


def test_removing_a_field_from_the_program_removes_it_from_the_object(stack: Stack) -> None:
    stack.declare(config_map(stack.namespace, a="1", b="2"))
    stack.up()
    labelled = config_map(stack.namespace, a="1", b="2")
    labelled.inputs["metadata"]["labels"] = {"tier": "web"}
    stack.declare(labelled)
    stack.up()
    assert live("configmap", "settings", stack.namespace)["metadata"]["labels"] == {"tier": "web"}
    stack.declare(config_map(stack.namespace, a="1", b="2"))
    stack.up()
    assert "labels" not in live("configmap", "settings", stack.namespace)["metadata"]


def test_an_immutable_field_replaces_the_object_deleting_it_first(stack: Stack) -> None:
    namespace = stack.namespace
    stack.declare(idle(namespace))
    stack.up()
    before = live("deployment", "idle", namespace)["metadata"]["uid"]
    changed = idle(namespace, selector={"matchLabels": {"app": "idle", "tier": "web"}})
    changed.inputs["spec"]["template"]["metadata"]["labels"]["tier"] = "web"
    stack.declare(changed)
    assert "1 to replace" in stack.succeed("preview", "--suppress-progress")
    stack.up()
    assert live("deployment", "idle", namespace)["metadata"]["uid"] != before
    stack.unchanged()


def test_a_generated_name_is_kept_and_replaced_without_deleting_first(stack: Stack) -> None:
    nameless = config_map(stack.namespace, a="1")
    del nameless.inputs["metadata"]["name"]
    stack.declare(nameless)
    stack.up()
    first = stack.state()["settings"]["id"]
    assert first.startswith(f"{stack.namespace}/settings-")
    stack.unchanged()
    nameless.inputs["data"] = {"a": "2"}
    stack.declare(nameless)
    output = stack.succeed("up", "--yes", "--skip-preview")
    assert output.index("created replacement") < output.index("deleted original")
    assert stack.state()["settings"]["id"] != first


def test_refresh_finds_what_was_changed_and_what_was_deleted_by_hand(stack: Stack) -> None:
    namespace = stack.namespace
    stack.declare(config_map(namespace, a="1"), config_map(namespace, "other", b="1"))
    stack.up()
    kubectl("-n", namespace, "patch", "configmap", "settings", "--patch", '{"data":{"a":"9"}}')
    kubectl("-n", namespace, "label", "configmap", "settings", "by=hand")
    kubectl("-n", namespace, "delete", "configmap", "other")
    output = stack.succeed("refresh", "--yes", "--skip-preview", "--diff")
    assert '~ a: "1" => "9"' in output
    assert "by" not in stack.state()["settings"]["inputs"]["metadata"].get("labels", {})
    assert "other" not in stack.state()
    stack.up()
    assert live("configmap", "settings", namespace)["data"] == {"a": "1"}
    assert live("configmap", "other", namespace)["data"] == {"b": "1"}


def test_a_field_of_somebody_else_is_a_conflict_unless_ignored_or_forced(stack: Stack) -> None:
    namespace = stack.namespace
    stack.declare(idle(namespace, revisionHistoryLimit=5))
    stack.up()
    patch = '{"spec":{"revisionHistoryLimit":7}}'
    kubectl("-n", namespace, "patch", "deployment", "idle", "--patch", patch)

    wanted = idle(namespace, revisionHistoryLimit=6)
    stack.declare(wanted)
    told = stack.fail("preview", "--suppress-progress")
    assert '.spec.revisionHistoryLimit: conflict with "kubectl-patch"' in told
    assert "pulumi.com/patchForce" in told

    ignoring = idle(namespace, revisionHistoryLimit=6, progressDeadlineSeconds=100)
    ignoring.options["ignore_changes"] = ["spec.revisionHistoryLimit"]
    stack.declare(ignoring)
    stack.up()
    spec = live("deployment", "idle", namespace)["spec"]
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (7, 100)

    wanted.inputs["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    stack.declare(wanted)
    stack.up()
    assert live("deployment", "idle", namespace)["spec"]["revisionHistoryLimit"] == 6


def test_an_object_that_others_made_is_not_taken_over_but_can_be_imported(stack: Stack) -> None:
    namespace = stack.namespace
    kubectl("-n", namespace, "create", "configmap", "settings", "--from-literal=a=1")
    stack.declare(config_map(namespace, a="1"))
    told = stack.fail_up()
    assert "exists already, and this stack did not make it" in told
    assert f"pulumi import kubernetes:core/v1:ConfigMap settings {namespace}/settings" in told

    importing = config_map(namespace, a="1")
    importing.options["import"] = f"{namespace}/settings"
    stack.declare(importing)
    stack.up()
    stack.declare(config_map(namespace, a="1"))
    stack.unchanged()
    changed = config_map(namespace, a="1")
    changed.inputs["metadata"]["labels"] = {"tier": "web"}
    stack.declare(changed)
    stack.up()
    assert live("configmap", "settings", namespace)["metadata"]["labels"] == {"tier": "web"}


def test_pulumi_import_reads_a_deployment_and_a_sparse_program_needs_no_change(
    stack: Stack,
) -> None:
    namespace = stack.namespace
    declared = idle(namespace)
    kubectl("apply", "-f", "-", given=json.dumps(declared.inputs))
    stack.succeed(
        "import",
        "kubernetes:apps/v1:Deployment",
        "idle",
        f"{namespace}/idle",
        "--yes",
        "--generate-code=false",
        "--protect=false",
    )
    stack.declare(declared)
    stack.unchanged()


def test_a_secret_is_encrypted_wherever_the_state_has_it(stack: Stack) -> None:
    stack.declare(secret(stack.namespace, "correct horse"))
    stack.up()
    stored = json.dumps(stack.state()["access"])
    assert "correct horse" not in stored
    assert "Y29ycmVjdCBob3JzZQ" not in stored
    assert stored.count("ciphertext") >= 3
    assert "correct horse" not in stack.succeed("preview", "--diff", "--suppress-progress")
    stack.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    stack.unchanged()


def test_forty_objects_go_side_by_side_and_cost_little_to_preview(stack: Stack) -> None:
    many = [config_map(stack.namespace, f"many-{index}", a="1") for index in range(40)]
    stack.declare(*many)
    stack.up()
    names = kubectl("-n", stack.namespace, "get", "configmaps", "-o", "name")
    assert names.count("configmap/many-") == 40
    started = time.monotonic()
    stack.unchanged()
    assert time.monotonic() - started < 8
    stack.succeed("destroy", "--yes", "--skip-preview")
    assert "many-" not in kubectl("-n", stack.namespace, "get", "configmaps", "-o", "name")


def test_a_definition_and_its_object_come_in_one_update(stack: Stack) -> None:
    kind = f"Trial{stack.namespace.rpartition('-')[2]}"
    plural, group = f"{kind.lower()}s", "plugins-test.example.com"
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x_kubernetes_preserve_unknown_fields": True}},
    }
    definition = Declared(
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
        "definition",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                    }
                ],
            },
        },
    )
    trial = Declared(
        f"kubernetes:{group}/v1:{kind}",
        "trial",
        {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": "trial", "namespace": stack.namespace},
            "spec": {"weights": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]},
        },
    )
    stack.declare(definition, trial)
    stack.succeed("preview")
    stack.up()
    stack.unchanged()
    patch = '{"spec":{"weights":[{"name":"a","weight":90},{"name":"b","weight":10},{"name":"c"}]}}'
    kubectl("-n", stack.namespace, "patch", plural, "trial", "--type=merge", "--patch", patch)
    assert "1 updated" in stack.succeed("refresh", "--yes", "--skip-preview")
    stack.succeed("destroy", "--yes", "--skip-preview")
    assert group not in kubectl("get", "crds", "-o", "name")


def test_what_cannot_be_honoured_is_refused_with_its_place(stack: Stack) -> None:
    odd = config_map(stack.namespace)
    odd.inputs["metadata"]["annotations"] = {"pulumi.com/replaceUnready": "true"}
    mistyped = service(stack.namespace, portz=[])
    stack.declare(odd)
    told = stack.fail("preview", "--suppress-progress")
    assert "pulumi.com/replaceUnready" in told
    assert "does not honour this annotation" in told

    stack.declare(mistyped)
    assert "spec.portz" in stack.fail("preview", "--suppress-progress")

    chart = Declared("kubernetes:helm.sh/v3:Release", "chart", {"chart": "x"})
    stack.declare(chart)
    assert "Helm charts and releases" in stack.fail("preview", "--suppress-progress")
    patch = Declared("kubernetes:core/v1:ConfigMapPatch", "patch", odd.inputs)
    stack.declare(patch)
    assert "no Patch resources" in stack.fail("preview", "--suppress-progress")


def test_a_delete_that_cannot_finish_names_the_finalizer_and_keeps_the_object(
    stack: Stack,
) -> None:
    held = config_map(stack.namespace)
    held.inputs["metadata"]["finalizers"] = ["example.com/held"]
    held.options["timeout"] = {"delete": "2s"}
    stack.declare(held)
    stack.up()
    told = stack.fail("destroy", "--yes", "--skip-preview", "--suppress-progress")
    assert "still there after 2 s" in told
    assert "example.com/held" in told
    assert "settings" in stack.state()
    patch = '{"metadata":{"finalizers":null}}'
    kubectl("-n", stack.namespace, "patch", "configmap", "settings", "--patch", patch)
    stack.succeed("destroy", "--yes", "--skip-preview")
