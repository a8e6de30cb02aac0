"""Stack files without secrets, and the kubeconfig of no cluster."""

from __future__ import annotations

from pathlib import Path

import yaml

from local.pulumi.offline_preview import unreachable_kubeconfig, without_secrets


def test_without_secrets_removes_and_names_secrets() -> None:
    file = {
        "secretsprovider": "awskms://alias/pulumi",
        "encryptedkey": "x",
        "encryptionsalt": "y",
        "config": {"a:token": {"secure": "v1:abc"}, "a:models": {"iris": {}}, "aws:region": "x"},
    }
    content, names = without_secrets(file)
    assert content == {"config": {"a:models": {"iris": {}}, "aws:region": "x"}}
    assert names == ["a:token"]
    assert "a:token" in file["config"], "the argument is not changed"


def test_unreachable_kubeconfig_names_closed_local_port(tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(unreachable_kubeconfig(tmp_path).read_text())
    assert [item["cluster"]["server"] for item in kubeconfig["clusters"]] == ["http://127.0.0.1:9"]
