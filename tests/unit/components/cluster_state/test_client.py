"""The kubeconfig of a stack file, in each form that the official plugin takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest
import yaml
from pulumi.runtime import config as runtime

from components.cluster_state.client import ClusterClient, ClusterUnavailableError

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": name, "cluster": {"server": f"https://{name}.test:6443"}}
        for name in ("east", "west")
    ],
    "users": [{"name": "me", "user": {"token": "s3cret"}}],
    "contexts": [
        {"name": name, "context": {"cluster": name, "user": "me"}} for name in ("east", "west")
    ],
    "current-context": "east",
}
IN_YAML = yaml.safe_dump(KUBECONFIG, sort_keys=False)


@pytest.fixture(autouse=True)
def _own_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    runtime.set_all_config({}, [])


def server(kubeconfig: str, **more: str) -> str:
    config = {"kubeconfig": kubeconfig, **more}
    pulumi.runtime.set_all_config({f"kubernetes:{key}": value for key, value in config.items()})
    return str(ClusterClient.from_stack_config().api.configuration.host)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(KUBECONFIG),
        json.dumps(KUBECONFIG, indent=2),
        IN_YAML,
        f"# ours\n---\n{IN_YAML}",
        yaml.safe_dump({"clusters": [], **KUBECONFIG}, sort_keys=True),
    ],
    ids=["json", "json in lines", "yaml", "yaml after a comment", "yaml in another order"],
)
def test_inline_kubeconfig_is_loaded(text: str) -> None:
    assert server(text) == "https://east.test:6443"
    assert server(text, context="west") == "https://west.test:6443"


def test_kubeconfig_path_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(IN_YAML)
    assert server(str(tmp_path / "config.yaml")) == "https://east.test:6443"
    assert server("~/config.yaml", context="west") == "https://west.test:6443"


@pytest.mark.parametrize(
    "text", ["/nowhere/config", "[token, s3cret]", "token: [s3cret", "s3cret\0", "x" * 100_000]
)
def test_invalid_kubeconfig_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ClusterUnavailableError) as caught:
        server(text)
    assert str(caught.value) == "kubernetes:kubeconfig is neither a file nor a kubeconfig"


def test_kubeconfig_without_clusters_is_refused() -> None:
    with pytest.raises(ClusterUnavailableError):
        server("apiVersion: v1\nkind: Config\n")
