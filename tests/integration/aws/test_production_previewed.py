"""Production's whole file, previewed by somebody who has nothing: no cluster, no credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from local import environment
from local.blind import nowhere, without_secrets
from local.paths import Paths
from local.plugins.install import install
from tests.integration.aws.stacks import ROOT, Stack
from tests.support.project_copy import ProjectCopy


@pytest.mark.parametrize("name", ["prod"])
def test_it_shows_the_objects_the_traffic_and_what_it_could_not_see(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = environment.pulumi(Paths.of_user())
    home = tmp_path / "home"
    install(pulumi, home, Path(sys.executable), ROOT, ["kubernetes", "docker", "aws"])
    copied = ProjectCopy(tmp_path / "project")
    plain, _ = without_secrets(yaml.safe_load((ROOT / f"stacks/Pulumi.{name}.yaml").read_text()))
    (copied.folder / "stacks/Pulumi.test.yaml").write_text(yaml.safe_dump(plain))
    for variable in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("KUBECONFIG", str(nowhere(tmp_path)))
    stack = Stack(copied.folder, pulumi, home)
    stack.succeed("stack", "init")
    shown = stack.succeed("preview", "--suppress-progress", "--suppress-outputs")
    for line in (
        "aws:lb:LoadBalancer load-balancer create",
        "aws:ecr:Repository iris create",
        "kubernetes:apps/v1:Deployment iris-v1 create",
        "/models/iris/prod  v1 90 %, v2 10 %",
        "the cluster could not be looked at",
    ):
        assert line in shown
    assert "error" not in shown
