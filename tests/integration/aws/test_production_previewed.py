"""Preview production's stack file without a cluster, credentials or state."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from local.errors import SetupError
from local.paths import Paths
from local.pulumi import offline_preview
from local.pulumi.offline_preview import NOT_CHECKED


@pytest.fixture
def paths(pulumi_home: Path) -> Paths:
    """The built tools, and a separate Pulumi home."""
    own = dataclasses.replace(Paths.of_user(), state=pulumi_home.parent)
    assert own.pulumi_home == pulumi_home
    return own


@pytest.mark.parametrize("name", ["prod"])
def test_preview_shows_objects_traffic_and_unchecked_parts(
    name: str, paths: Paths, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")  # reading this profile fails
    offline_preview.preview(paths, name)
    output = "".join(capfd.readouterr())
    for line in (
        "aws:lb/loadBalancer:LoadBalancer: (create)",
        "kubernetes:apps/v1:Deployment: (create)",
        "/models/iris/prod  v1 90 %, v2 10 %",
        "cannot read the cluster state",
        *NOT_CHECKED,
    ):
        assert line in output


def test_stack_without_file_is_refused(paths: Paths) -> None:
    with pytest.raises(SetupError, match=r"stacks/Pulumi.nope.yaml does not exist\n.*: .*prod"):
        offline_preview.preview(paths, "nope")
