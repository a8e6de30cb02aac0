"""`docs/cluster-objects.md` and `docs/stack-file.md` match what the program declares and reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.config import schema
from components.naming import ANNOTATION_PREFIX, PLATFORM_NAMES
from tests.support.recorder import Recorder

ROOT = Path(__file__).parents[4]
OBJECTS_PAGE = (ROOT / "docs/cluster-objects.md").read_text()
STACK_FILE_PAGE = (ROOT / "docs/stack-file.md").read_text()
MODELS = {
    "iris": {
        "language": "python",
        "handler": "predict:predict",
        "versions": {
            "v1": {"source": "models/iris/v1"},
            "v2": {
                "source": "models/iris/v2",
                "secrets": {"API_KEY": "irisApiKey"},
                "autoscaling": {"min": 1, "max": 2, "cpu": 65},
            },
        },
        "routes": {"prod": {"weights": {"v1": 100}, "failover": "v2"}},
        "tokens": ["irisTokenA"],
    }
}


@pytest.fixture
def recorded(run: Callable[[object], Recorder], monkeypatch: pytest.MonkeyPatch) -> Recorder:
    secrets = {"model-deployment:irisApiKey": "key", "model-deployment:irisTokenA": "token"}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(secrets))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps([*secrets]))
    return run(MODELS)


def metadata(value: object) -> Iterator[dict[str, object]]:
    """Yield the metadata of an object and of the Pods in it."""
    if isinstance(value, dict):
        if isinstance(value.get("metadata"), dict):
            yield value["metadata"]
        for nested in value.values():
            yield from metadata(nested)


def items_of(recorder: Recorder, key: str) -> Iterator[tuple[str, str]]:
    """Yield labels or annotations of all objects."""
    for resource in recorder.resources:
        for fields in metadata(dict(resource.inputs)):
            yield from (fields.get(key) or {}).items()


def test_cluster_objects_page_lists_components_of_all_labels(recorded: Recorder) -> None:
    (text,) = re.findall(r"^Components: (.+?)\.$", OBJECTS_PAGE, re.MULTILINE | re.DOTALL)
    declared = {
        value for key, value in items_of(recorded, "labels") if key.endswith("io/component")
    }
    assert {"model", "watcher"} < declared
    assert set(re.findall("`([a-z-]+)`", text)) == declared


def test_cluster_objects_page_lists_declared_annotations(recorded: Recorder) -> None:
    declared = {
        key.removeprefix(ANNOTATION_PREFIX)
        for key, _ in items_of(recorded, "annotations")
        if key.startswith(ANNOTATION_PREFIX)
    }
    documented = {
        name
        for row in re.findall(r"^\| (`[a-z`, -]+`) \|", OBJECTS_PAGE, re.MULTILINE)
        for name in re.findall("`([a-z-]+)`", row)
    }
    assert {"content-hash", "weights"} < declared
    assert declared <= documented


def test_cluster_objects_page_lists_names_of_platform() -> None:
    (text,) = re.findall(r"^The names (.+?) belong", OBJECTS_PAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall("`([a-z-]+)`", text)) == PLATFORM_NAMES


SECTIONS = {
    "ModelSpec": "### Model",
    "LimitsSpec": "### Model",
    "VersionSpec": "### Version",
    "GitSource": "### Version",
    "AutoscalingSpec": "### Version",
    "ResourcesSpec": "### Version",
    "RouteSpec": "### Route",
    "MirrorSpec": "### Route",
    "PlatformSpec": "## `model-deployment:platform`",
    "IngressControllerSpec": "### `ingressController`",
    "RateLimitSpec": "### `ingressController`",
    "MessageBrokerSpec": "### `messageBroker`",
    "DeploymentWatcherSpec": "### `deploymentWatcher`",
    "AwsSpec": "### `aws`",
    "VpcSpec": "### `aws`",
    "NodesSpec": "### `aws`",
    "LoadBalancerSpec": "### `loadBalancer`",
    "SubnetSpec": "### `loadBalancer`",
    "CertificateSpec": "### `loadBalancer`",
    "RecordSpec": "### `loadBalancer`",
    "AccessLogsSpec": "### `loadBalancer`",
}
"""Where the page describes the keys of each definition of the JSON Schema."""


def keys_below(heading: str) -> set[str]:
    _, section = STACK_FILE_PAGE.split(f"\n{heading}\n")
    section = re.split(r"^#{2,3} ", section, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    return {
        part
        for row in rows
        for path in re.findall("`([A-Za-z.]+)`", row.split("|")[1] + row.split("|")[2])
        for part in path.split(".")
    }


@pytest.mark.parametrize("definition", json.loads(schema.text())["definitions"])
def test_stack_file_page_lists_every_key(definition: str) -> None:
    properties = json.loads(schema.text())["definitions"][definition]["properties"]
    assert set(properties) <= keys_below(SECTIONS[definition])
