"""An API server accepts every object of production; a scanner finds only documented findings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local.build.wheel_programs import wheel_program
from local.paths import Paths
from tests.integration.production.conftest import kubectl
from tests.support.rendered_manifests import ROOT, Object

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated in favor of:DeprecationWarning")
"""pulumi-aws imports deprecated names."""

ANSWER = re.compile(r"^\| `(CKV_K8S_\d+)` [^|]+\| ([^|]+) \| [^|]{20,} \|$", re.MULTILINE)


def test_api_server_accepts_every_object(objects: list[Object], tmp_path: Path) -> None:
    """Apply server-side in a dry run, with unknown fields refused.

    The local stack has Traefik's CRDs; no other object exists.
    """
    file = tmp_path / "production.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    output = kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict",
        "--field-manager=dry-run", "--filename", str(file),
    ).splitlines()  # fmt: skip
    assert [
        line for line in output if not line.endswith(" serverside-applied (server dry run)")
    ] == []
    assert len(output) == len(objects) > 60


def test_api_server_refuses_unknown_field(objects: list[Object], tmp_path: Path) -> None:
    (deny,) = [item for item in objects if item["metadata"]["name"] == "deny-by-default"]
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps({**deny, "spec": {**deny["spec"], "podSelectr": {}}}))
    with pytest.raises(AssertionError, match="podSelectr"):
        kubectl(
            "apply", "--server-side", "--dry-run=server", "--validate=strict",
            "--filename", str(file),
        )  # fmt: skip


@pytest.fixture(scope="module")
def findings(
    objects: list[Object], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """Return the object names of checkov's findings, by check."""
    folder = tmp_path_factory.mktemp("objects")
    for place, item in enumerate(objects):
        if item["kind"] != "CustomResourceDefinition":  # Traefik's CRDs
            (folder / f"{place}.yaml").write_text(yaml.safe_dump(item))
    checkov = wheel_program(Paths.of_user(), "checkov", "checkov")
    done = subprocess.run(
        [
            sys.executable, checkov, "--directory", folder, "--framework", "kubernetes",
            "--output", "json", "--compact", "--quiet", "--skip-download",
        ],
        env={**os.environ, "PYTHONPATH": str(checkov.parents[1]), "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 400, "it looked at them"
    failed_checks: dict[str, set[str]] = {}
    for failed_check in report["results"]["failed_checks"]:
        failed_checks.setdefault(failed_check["check_id"], set()).add(
            failed_check["resource"].rpartition(".")[2]
        )
    return failed_checks


def test_checkov_findings_equal_accepted_findings(
    findings: dict[str, set[str]],
) -> None:
    page = (ROOT / "docs/production.md").read_text()
    answered = {check: set(names.split(", ")) for check, names in ANSWER.findall(page)}
    assert findings == answered
