"""A stack file for somebody who cannot read its secrets."""

from __future__ import annotations

from pathlib import Path

import yaml

from local.blind import nowhere, without_secrets


def test_secrets_and_what_keeps_them_are_gone_and_named() -> None:
    file = {
        "secretsprovider": "awskms://alias/pulumi",
        "encryptedkey": "x",
        "encryptionsalt": "y",
        "config": {"a:token": {"secure": "v1:abc"}, "a:models": {"iris": {}}, "aws:region": "x"},
    }
    plain, names = without_secrets(file)
    assert plain == {"config": {"a:models": {"iris": {}}, "aws:region": "x"}}
    assert names == ["a:token"]
    assert "a:token" in file["config"], "the file that was given is not touched"


def test_the_kubeconfig_leads_to_nobody_on_this_machine(tmp_path: Path) -> None:
    content = yaml.safe_load(nowhere(tmp_path).read_text())
    assert [each["cluster"]["server"] for each in content["clusters"]] == ["http://127.0.0.1:9"]
