"""A test stack: its program is data, and it runs in the environment of `make env`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import Any

from local.pulumi.plugins.versions import version_of
from tests.support.engine_stack import EngineStack

PROGRAM = '''
"""Declares what declared.json lists, so that a test is data."""
import json
from pathlib import Path
import pulumi

made = {}

def filled(value):
    """{"$secret": x} is a secret, {"$output": [resource, property]} another resource's output."""
    if isinstance(value, dict):
        if "$secret" in value:
            return pulumi.Output.secret(value["$secret"])
        if "$output" in value:
            resource, key = value["$output"]
            return getattr(made[resource], key)
        return {key: filled(item) for key, item in value.items()}
    return [filled(item) for item in value] if isinstance(value, list) else value

class Declared(pulumi.CustomResource):
    repoDigest: pulumi.Output[str]

for entry in json.loads(Path("declared.json").read_text()):
    options = entry.get("options", {})
    timeouts = options.pop("timeout", None)
    made[entry["name"]] = Declared(
        entry["type"], entry["name"], {"repoDigest": None, **filled(entry["inputs"])}
        if entry["type"].startswith("docker:") else filled(entry["inputs"]),
        pulumi.ResourceOptions(
            version=entry["version"],
            depends_on=[made[name] for name in options.pop("depends_on", [])],
            custom_timeouts=pulumi.CustomTimeouts(**timeouts) if timeouts else None,
            import_=options.pop("import", None),
            ignore_changes=options.pop("ignore_changes", None),
        ),
    )
'''


@dataclass
class Declared:
    """A resource of a test's program."""

    type: str
    name: str
    inputs: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        version = version_of(self.type.partition(":")[0])
        return {**vars(self), "version": version}


@dataclass(frozen=True)
class Stack(EngineStack):
    """A stack in the environment of `make env`, with a separate namespace."""

    namespace: str

    def declare(self, *resources: Declared) -> Stack:
        entries = [resource.entry() for resource in resources]
        (self.folder / "declared.json").write_text(json.dumps(entries))
        return self

    def fail_up(self) -> str:
        return self.fail("up", "--yes", "--skip-preview", "--suppress-progress")

    def state(self) -> dict[str, Any]:
        """Return the stored resources by name."""
        return {item["urn"].rpartition("::")[2]: item for item in self.resources()}


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def live(kind: str, name: str, namespace: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(kubectl("-n", namespace, "get", kind, name, "-o", "json"))
    return manifest


def config_map(namespace: str, name: str = "settings", **data: str) -> Declared:
    return Declared(
        "kubernetes:core/v1:ConfigMap",
        name,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": data or {"a": "1"},
        },
    )


def deployment(
    namespace: str,
    name: str,
    container: dict[str, Any],
    *,
    pod: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    replicas: int = 1,
) -> Declared:
    labels = {"app": name}
    return Declared(
        "kubernetes:apps/v1:Deployment",
        name,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": name,
                "namespace": namespace,
                **({"annotations": annotations} if annotations else {}),
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{"name": "main", **container}],
                        **(pod or {}),
                    },
                },
            },
        },
    )
