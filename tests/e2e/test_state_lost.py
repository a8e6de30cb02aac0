"""Pulumi's state is deleted under load and imported from the cluster, as the docs describe.

A second stack is used: without the local stack's state, no later test could run if the import
failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.local_stack import ROOT, Object
from tests.support.project_copy import MODELS, STACK_FILE
from tests.support.second_stack import PLATFORM, SecondStack
from tests.support.traffic import Stream

NAMESPACE = "state-lost"
PORT = 8020
ENTRY_POINT = f"http://127.0.0.1:{PORT}"
SMALL = {"cpu": "30m", "memory": "256Mi"}
PER_SECOND = 10.0
SECONDS = 600.0
"""At most: the stream ends once the state is restored."""


def _file() -> Object:
    """The local stack's file, reduced to one model and few resources."""
    file: Object = yaml.safe_load((ROOT / STACK_FILE).read_text())
    del file["encryptionsalt"]
    platform, models = file["config"][PLATFORM], file["config"][MODELS]
    platform |= {"namespace": NAMESPACE, "registry": f"localhost:5000/{NAMESPACE}"}
    platform["ingressController"] |= {"nodePort": PORT, "resources": SMALL}
    platform["messageBroker"]["resources"]["cpu"] = SMALL["cpu"]
    platform["deploymentWatcher"] = {"replicas": 1, "resources": SMALL}
    file["config"][MODELS] = {"iris": models["iris"]}
    for version in models["iris"]["versions"].values():
        version |= {"replicas": 1, "resources": SMALL}
    return file


@pytest.fixture
def second_stack(tmp_path: Path) -> Iterator[SecondStack]:
    stack = SecondStack(tmp_path, _file())
    stack.remove()  # left by a killed test
    try:
        yield stack
    finally:
        stack.remove()


def _documented() -> str:
    """Return the commands of docs/production.md without the first, which uses another backend."""
    page = (ROOT / "docs/production.md").read_text()
    block = re.search(r"## The state is lost\n.*?```sh\n(.*?)```", page, re.DOTALL)
    assert block
    first, *remaining_lines = block.group(1).splitlines()
    assert first.startswith("pulumi stack init")
    return "\n".join(remaining_lines)


def test_lost_state_is_imported_without_failed_request(
    second_stack: SecondStack, report: list[str]
) -> None:
    second_stack.up()
    second_stack.assert_no_changes()
    before, stood = _ids_by_urn(second_stack), second_stack.objects()
    secrets = _secrets(second_stack)

    with Stream("iris", "prod", PER_SECOND, SECONDS, entry_point=ENTRY_POINT) as stream:
        second_stack.lose_the_state()
        second_stack.init()
        back = second_stack.shell(_documented()).succeeded()
        second_stack.assert_no_changes()
        stream.stop()
    report.append(f"back after {back.seconds:.1f} s")
    report.append(f"{len(stream.sent)} requests, {len(stream.failures())} failed")
    assert stream.failures() == []
    assert len(stream.sent) > PER_SECOND * back.seconds / 2
    assert second_stack.objects() == stood, "something was written to the cluster"

    left_out = [line for line in back.text.splitlines() if line.startswith("left out: ")]
    assert [line for line in left_out if "docker:index/image:Image" not in line] == []
    assert _ids_by_urn(second_stack) == before
    text = second_stack.up()
    assert f" {len(before)} unchanged" in text
    assert _secrets(second_stack) == secrets

    # the next change has no conflict with the field manager of the lost state
    changed = _file()
    changed["config"][MODELS]["iris"]["routes"]["prod"]["weights"] = {"v1": 80, "v2": 20}
    second_stack.write(changed)
    second_stack.up()
    route = second_stack.kubectl("get", "traefikservice", "iris-prod", "-o", "yaml")
    assert '{"v1": 80, "v2": 20}' in route
    second_stack.assert_no_changes()
    assert _secrets(second_stack) == secrets
    second_stack.destroy()


def _secrets(second_stack: SecondStack) -> dict[str, tuple[str, Object]]:
    """Return uid and data of the generated Secrets."""
    secrets = json.loads(second_stack.kubectl("get", "secrets", "-o", "json"))
    return {
        item["metadata"]["name"]: (item["metadata"]["uid"], item["data"])
        for item in secrets["items"]
    }


def _ids_by_urn(second_stack: SecondStack) -> dict[str, str]:
    """Return the ids of all provider resources, by URN."""
    ids = {item["urn"]: str(item.get("id", "")) for item in second_stack.state()}
    return {urn: resource_id for urn, resource_id in ids.items() if "pulumi:providers:" not in urn}
