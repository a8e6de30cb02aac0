"""Behavior of the Kubernetes provider: drift, conflicts, replacement, import, unknown kinds."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.integration.plugins.stacks import Declared, Stack, config_map, deployment, kubectl, live

IMAGE = "python:3.11-slim-bookworm"
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def idle(namespace: str, **changes: object) -> Declared:
    """Return a Deployment without Pods."""
    declared = deployment(
        namespace, "idle", {"image": "nowhere/none:1"}, replicas=0, annotations=dict(SKIP_AWAIT)
    )
    declared.inputs["spec"].update(changes)
    return declared


def python(namespace: str, code: str, **annotations: str) -> Declared:
    container = {"image": IMAGE, "command": ["python3", "-c", code]}
    return deployment(namespace, "worker", container, annotations=annotations)


def refresh(stack: Stack, *more: str) -> str:
    return stack.succeed("refresh", "--yes", "--skip-preview", *more)


def test_update_without_changes_has_nothing_to_do_also_after_refresh(stack: Stack) -> None:
    declared = idle(stack.namespace)
    # other forms of a quantity, defaults and status are not drift
    resources = {"limits": {"cpu": "0.5", "memory": "1024Mi"}}
    declared.inputs["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    stack.declare(declared, config_map(stack.namespace))
    stack.up()
    stack.unchanged()
    refresh(stack, "--expect-no-changes")
    stack.unchanged()


def test_field_removed_from_program_is_removed_from_object(stack: Stack) -> None:
    labeled = config_map(stack.namespace)
    labeled.inputs["metadata"]["labels"] = {"tier": "web"}
    stack.declare(labeled)
    stack.up()
    assert live("configmap", "settings", stack.namespace)["metadata"]["labels"] == {"tier": "web"}
    stack.declare(config_map(stack.namespace))
    stack.up()
    assert "labels" not in live("configmap", "settings", stack.namespace)["metadata"]


def test_immutable_field_replaces_object_of_the_same_name(stack: Stack) -> None:
    namespace = stack.namespace
    original = idle(namespace)
    # with skipAwait the provider does not wait until the old object is deleted
    original.inputs["metadata"]["annotations"].clear()
    stack.declare(original)
    stack.up()
    before = live("deployment", "idle", namespace)["metadata"]["uid"]
    changed = idle(namespace, selector={"matchLabels": {"app": "idle", "tier": "web"}})
    changed.inputs["metadata"]["annotations"].clear()
    changed.inputs["spec"]["template"]["metadata"]["labels"]["tier"] = "web"
    stack.declare(changed)
    assert "1 to replace" in stack.succeed("preview", "--suppress-progress")
    stack.up()
    assert live("deployment", "idle", namespace)["metadata"]["uid"] != before
    stack.unchanged()


def test_generated_name_is_kept_and_replaced_without_deleting_first(stack: Stack) -> None:
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


def test_refresh_shows_drift_and_next_update_corrects_it(stack: Stack) -> None:
    namespace = stack.namespace
    stack.declare(config_map(namespace, a="1"), config_map(namespace, "other", b="1"))
    stack.up()
    kubectl("-n", namespace, "patch", "configmap", "settings", "--patch", '{"data":{"a":"9"}}')
    kubectl("-n", namespace, "delete", "configmap", "other")
    output = refresh(stack, "--diff")
    assert re.search(r'~ a\s*: "1" => "9"', output), output
    assert "other" not in stack.state()
    stack.up()
    assert live("configmap", "settings", namespace)["data"] == {"a": "1"}
    assert live("configmap", "other", namespace)["data"] == {"b": "1"}
    stack.unchanged()


def test_field_of_another_manager_is_a_conflict_unless_ignored_or_forced(stack: Stack) -> None:
    namespace = stack.namespace
    stack.declare(idle(namespace, revisionHistoryLimit=5))
    stack.up()
    patch = '{"spec":{"revisionHistoryLimit":7}}'
    # the provider takes over fields of kubectl's managers
    manager = "--field-manager=on-call"
    kubectl("-n", namespace, "patch", "deployment", "idle", "--patch", patch, manager)

    changed_limit = idle(namespace, revisionHistoryLimit=6)
    stack.declare(changed_limit)
    output = stack.fail_up()
    assert 'conflict with "on-call"' in output
    assert ".spec.revisionHistoryLimit" in output
    assert live("deployment", "idle", namespace)["spec"]["revisionHistoryLimit"] == 7

    ignoring = idle(namespace, revisionHistoryLimit=6, progressDeadlineSeconds=100)
    ignoring.options["ignore_changes"] = ["spec.revisionHistoryLimit"]
    stack.declare(ignoring)
    stack.up()
    spec = live("deployment", "idle", namespace)["spec"]
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (7, 100)

    changed_limit.inputs["metadata"]["annotations"]["pulumi.com/patchForce"] = "true"
    stack.declare(changed_limit)
    stack.up()
    assert live("deployment", "idle", namespace)["spec"]["revisionHistoryLimit"] == 6


def test_existing_object_is_a_conflict_and_can_be_imported(stack: Stack) -> None:
    namespace = stack.namespace
    kubectl("-n", namespace, "create", "configmap", "settings", "--from-literal=a=1")
    uid = live("configmap", "settings", namespace)["metadata"]["uid"]
    stack.declare(config_map(namespace, a="2"))
    assert 'conflict with "kubectl-create"' in stack.fail_up()
    assert live("configmap", "settings", namespace)["data"] == {"a": "1"}

    importing = config_map(namespace, a="1")
    importing.options["import"] = f"{namespace}/settings"
    stack.declare(importing)
    stack.up()
    stack.declare(config_map(namespace, a="1"))
    stack.unchanged()
    labeled = config_map(namespace, a="1")
    labeled.inputs["metadata"]["labels"] = {"tier": "web"}
    stack.declare(labeled)
    stack.up()
    metadata = live("configmap", "settings", namespace)["metadata"]
    assert (metadata["uid"], metadata["labels"]) == (uid, {"tier": "web"})


def test_secret_value_is_encrypted_wherever_the_state_has_it(stack: Stack) -> None:
    password = "Y29ycmVjdCBob3JzZQ=="
    stack.declare(
        Declared(
            "kubernetes:core/v1:Secret",
            "access",
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "access", "namespace": stack.namespace},
                "data": {"password": {"$secret": password}},
            },
        )
    )
    stack.up()
    assert live("secret", "access", stack.namespace)["data"] == {"password": password}
    stored = json.dumps(stack.state()["access"])
    assert "ciphertext" in stored
    assert password not in stored
    assert "correct horse" not in stored
    assert password not in stack.succeed("preview", "--diff", "--suppress-progress")
    refresh(stack, "--expect-no-changes")
    stack.unchanged()


def custom(namespace: str, kind: str, **options: Any) -> Declared:
    return Declared(
        f"kubernetes:plugins-test.example.com/v1:{kind}",
        "trial",
        {
            "apiVersion": "plugins-test.example.com/v1",
            "kind": kind,
            "metadata": {"name": "trial", "namespace": namespace},
            "spec": {"replicas": 3},
        },
        options,
    )


def test_object_of_unknown_kind_fails_with_its_kind(stack: Stack) -> None:
    stack.declare(custom(stack.namespace, "Absent"))
    output = stack.fail_up()
    assert "Absent" in output
    assert re.search("no matches for kind|apiVersion for this resource does not exist", output)
    assert "trial" not in stack.state()


def test_definition_and_its_object_are_created_in_one_update(stack: Stack) -> None:
    kind = f"Trial{stack.namespace.rpartition('-')[2]}"
    plural, group = f"{kind.lower()}s", "plugins-test.example.com"
    spec = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
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
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        },
    )
    stack.declare(definition, custom(stack.namespace, kind, depends_on=["definition"]))
    stack.succeed("preview")
    stack.up()
    stack.unchanged()
    patch = '{"spec":{"replicas":4}}'
    kubectl("-n", stack.namespace, "patch", plural, "trial", "--type=merge", "--patch", patch)
    assert "1 updated" in refresh(stack)
    stack.destroy()
    assert f"{plural}.{group}" not in kubectl("get", "crds", "-o", "name")


def test_failed_deployment_stays_in_state_and_next_update_continues(stack: Stack) -> None:
    code = "import sys; sys.exit('cannot read the weights')"
    stack.declare(python(stack.namespace, code, **{"pulumi.com/timeoutSeconds": "20"}))
    assert "worker" in stack.fail_up()
    assert stack.state()["worker"]["initErrors"]
    stack.declare(python(stack.namespace, "import time; time.sleep(3600)"))
    stack.up()
    worker = stack.state()["worker"]
    assert "initErrors" not in worker
    assert live("deployment", "worker", stack.namespace)["status"]["availableReplicas"] == 1
    stack.unchanged()


def test_delete_that_times_out_keeps_object_in_state(stack: Stack) -> None:
    finalized = config_map(stack.namespace)
    finalized.inputs["metadata"]["finalizers"] = ["example.com/held"]
    finalized.options["timeout"] = {"delete": "2s"}
    stack.declare(finalized)
    stack.up()
    stack.fail("destroy", "--yes", "--skip-preview", "--suppress-progress")
    assert "settings" in stack.state()
    patch = '{"metadata":{"finalizers":null}}'
    kubectl("-n", stack.namespace, "patch", "configmap", "settings", "--patch", patch)
    stack.destroy()
