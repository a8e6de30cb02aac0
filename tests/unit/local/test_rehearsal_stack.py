"""A rehearsal refuses endpoints and clusters on other machines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from local.errors import SetupError
from tests.support.rehearsal import on_this_machine, rehearsal

FILE = {"config": {"model-deployment:platform": {}, "model-deployment:models": {}}}
REMOTE = [
    "https://sts.amazonaws.com",
    "http://10.0.0.1:5000",
    "https://ABC.gr7.eu-central-1.eks.amazonaws.com",
    "http://localhost.example.com",
    "",
]


@pytest.mark.parametrize("address", REMOTE)
def test_rehearsal_refuses_remote_endpoint(address: str) -> None:
    with pytest.raises(SetupError, match="speaks to this machine alone"):
        rehearsal(FILE, address)


def _kubeconfig(folder: Path, *servers: str) -> Path:
    clusters = [{"name": server, "cluster": {"server": server}} for server in servers]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump({"clusters": clusters}))
    return path


@pytest.mark.parametrize("address", REMOTE)
def test_rehearsal_refuses_kubeconfig_of_remote_cluster(tmp_path: Path, address: str) -> None:
    with pytest.raises(SetupError, match="speaks to this machine alone"):
        on_this_machine(_kubeconfig(tmp_path, "https://127.0.0.1:6443", address))


@pytest.mark.parametrize("address", ["https://127.0.0.1:6443", "https://[::1]:6443"])
def test_rehearsal_accepts_local_kubeconfig(tmp_path: Path, address: str) -> None:
    on_this_machine(_kubeconfig(tmp_path, address))
