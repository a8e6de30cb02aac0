"""`pulumi up` after a crash and on an external cluster."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from local.errors import SetupError
from local.paths import Paths
from local.pulumi import environment
from local.pulumi.external_cluster import ExternalCluster
from local.pulumi.stack import PROJECT, Stack, remove_stale_lock, was_interrupted

DEAD = 2**22 + 1  # above the kernel's highest process id


def lock(backend: Path, text: str) -> Path:
    folder = backend / ".pulumi/locks/organization" / PROJECT / "local"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "7d3e.json.attrs").write_text("{}")
    file = folder / "7d3e.json"
    file.write_text(text)
    return file


def holder(pid: int, host: str | None = None) -> str:
    return json.dumps({"pid": pid, "username": "root", "hostname": host or socket.gethostname()})


@pytest.mark.parametrize(
    "text",
    [holder(DEAD), holder(os.getpid()), '{"pid": 12'],
    ids=["process ended", "id of another program", "truncated"],
)
def test_stale_lock_is_removed(tmp_path: Path, text: str) -> None:
    file = lock(tmp_path, text)
    remove_stale_lock(tmp_path, "local")
    assert list(file.parent.iterdir()) == []


def test_lock_of_another_machine_is_kept(tmp_path: Path) -> None:
    file = lock(tmp_path, holder(DEAD, "another"))
    remove_stale_lock(tmp_path, "local")
    assert file.exists()


def test_lock_of_running_update_is_kept(tmp_path: Path) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.symlink_to("/bin/sleep")
    with subprocess.Popen([pulumi, "60"]) as process:
        file = lock(tmp_path, holder(process.pid))
        remove_stale_lock(tmp_path, "local")
        assert file.exists()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
        remove_stale_lock(tmp_path, "local")
        assert not file.exists()


def test_lock_of_other_stack_is_kept(tmp_path: Path) -> None:
    file = lock(tmp_path, holder(DEAD))
    remove_stale_lock(tmp_path, "prod")
    assert file.exists()


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (None, False),
        ({"resources": []}, False),
        ({"pending_operations": [{"type": "creating"}]}, True),
    ],
)
def test_was_interrupted_reads_pending_operations(
    tmp_path: Path, deployment: object, expected: bool
) -> None:
    state = tmp_path / ".pulumi/stacks" / PROJECT / "local.json"
    assert was_interrupted(tmp_path, "local") is False
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": deployment}}))
    assert was_interrupted(tmp_path, "local") is expected


def script(folder: Path, name: str, body: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_stack_without_file_is_refused(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin", "pulumi", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(SetupError, match=r"stacks/Pulumi.nope.yaml does not exist\n.*: .*local"):
        Stack(paths, "nope", {})
    assert Stack(paths, "local", {}).namespace() == "models"


KUBECTL = """
case "$*" in
  *get-contexts*) printf 'mine\\nother\\n' ;;
  *"config view"*) echo "view of: $*" ;;
  *kube-system*) case "$KUBECONFIG" in
      *clusters/mine.*) echo uid-1 ;;
      *clusters/other.*) echo noise >&2; echo 'connection refused' >&2; exit 1 ;;
      *state/kubeconfig) cat "$KUBECONFIG" ;;
    esac ;;
esac
"""


@pytest.fixture
def kubectl(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    script(tmp_path / "bin", "kubectl", KUBECTL)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin")
    for name in list(os.environ):
        if name.startswith(("PULUMI_", "KUBECONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "own")
    return paths


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "Pulumi.mine.yaml"
    file.write_text("config: {}\n")
    return file


def test_missing_context_error_lists_contexts(kubectl: Paths) -> None:
    with pytest.raises(SetupError, match=r"no context 'nope' in .*; it has mine, other\n"):
        ExternalCluster(kubectl, "nope")


def test_unreachable_cluster_error_is_one_line(kubectl: Paths) -> None:
    with pytest.raises(SetupError) as caught:
        ExternalCluster(kubectl, "other")
    assert str(caught.value).splitlines()[0] == (
        "the cluster of context 'other' does not answer: connection refused"
    )


def test_external_cluster_has_its_own_backend(kubectl: Paths, file: Path) -> None:
    env = ExternalCluster(kubectl, "mine").environment(file)
    assert env["PULUMI_BACKEND_URL"] == f"file://{kubectl.state}/clusters/uid-1"
    assert env["KUBECONFIG"] == f"{kubectl.state}/clusters/mine.kubeconfig"
    assert "DOCKER_HOST" not in env, "the user's Docker engine builds"
    assert (kubectl.state / "clusters/mine.kubeconfig").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize(("uid", "is_local"), [("uid-1", True), ("uid-2", False)])
def test_local_cluster_is_recognized_by_uid(
    kubectl: Paths, file: Path, uid: str, is_local: bool
) -> None:
    kubectl.state.mkdir(exist_ok=True)
    kubectl.kubeconfig.write_text(uid)
    env = ExternalCluster(kubectl, "mine").environment(file)
    assert (env["PULUMI_BACKEND_URL"] == environment.local_backend(kubectl)) is is_local
    assert ("DOCKER_HOST" in env) is is_local


def test_inherited_backend_and_passphrase_are_kept(
    kubectl: Paths, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    env = ExternalCluster(kubectl, "mine").environment(file)
    assert not {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(env)


def test_external_cluster_does_not_inherit_local_backend(
    kubectl: Paths, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the environment after eval "$(make -s env)"."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", environment.local_backend(kubectl))
    env = ExternalCluster(kubectl, "mine").environment(file)
    assert env["PULUMI_BACKEND_URL"].endswith("/clusters/uid-1")


PUBLIC = environment.PASSPHRASE.read_text().strip()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PULUMI_CONFIG_PASSPHRASE": ""},
        {"PULUMI_CONFIG_PASSPHRASE": PUBLIC},
        {"PULUMI_CONFIG_PASSPHRASE": PUBLIC, "PULUMI_CONFIG_PASSPHRASE_FILE": "/etc/own"},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": str(environment.PASSPHRASE)},
        {"PULUMI_BACKEND_URL": "s3://state"},
    ],
    ids=["none", "empty", "public", "public before file", "public file", "bucket"],
)
@pytest.mark.parametrize("provider", ["", "secretsprovider: passphrase\n"])
def test_external_cluster_needs_own_passphrase(
    kubectl: Paths,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    provider: str,
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file.write_text(f"{provider}config: {{}}\n")
    with pytest.raises(SetupError) as caught:
        ExternalCluster(kubectl, "mine").environment(file)
    message = str(caught.value)
    assert message.startswith("no passphrase for the secrets of Pulumi.mine.yaml, and the state")
    assert "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to your own" in message
    assert PUBLIC not in message


@pytest.mark.parametrize(
    ("variables", "provider"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": "own"}, ""),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/etc/own"}, ""),
        ({}, "secretsprovider: awskms://alias/pulumi\n"),
        ({"PULUMI_BACKEND_URL": "https://api.pulumi.com"}, ""),
    ],
    ids=["passphrase", "file", "key service", "Pulumi Cloud"],
)
def test_external_cluster_accepts_own_encryption(
    kubectl: Paths,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    provider: str,
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file.write_text(f"{provider}config: {{}}\n")
    env = ExternalCluster(kubectl, "mine").environment(file)
    assert not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(env)


def test_local_cluster_by_its_context_uses_the_public_passphrase(
    kubectl: Paths, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    kubectl.state.mkdir(exist_ok=True)
    kubectl.kubeconfig.write_text("uid-1")
    env = ExternalCluster(kubectl, "mine").environment(file)
    assert env["PULUMI_CONFIG_PASSPHRASE"] == PUBLIC
