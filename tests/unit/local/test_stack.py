"""`pulumi up` after a crash, on a cluster of the user's, and where something is missing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from local import environment
from local.errors import GroundError
from local.foreign import ForeignCluster
from local.paths import Paths
from local.stack import PROJECT, Stack, interrupted, unlock

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
    ids=["its process ended", "its id is another program's", "half written"],
)
def test_the_lock_of_a_killed_update_is_taken_away(tmp_path: Path, text: str) -> None:
    file = lock(tmp_path, text)
    unlock(tmp_path, "local")
    assert list(file.parent.iterdir()) == []


def test_the_lock_of_another_machine_stays(tmp_path: Path) -> None:
    file = lock(tmp_path, holder(DEAD, "another"))
    unlock(tmp_path, "local")
    assert file.exists()


def test_the_lock_of_an_update_stays_as_long_as_that_lives(tmp_path: Path) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.symlink_to("/bin/sleep")
    with subprocess.Popen([pulumi, "60"]) as process:
        file = lock(tmp_path, holder(process.pid))
        unlock(tmp_path, "local")
        assert file.exists()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
        unlock(tmp_path, "local")
        assert not file.exists()


def test_locks_of_other_stacks_are_none_of_ours(tmp_path: Path) -> None:
    file = lock(tmp_path, holder(DEAD))
    unlock(tmp_path, "prod")
    assert file.exists()


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (None, False),
        ({"resources": []}, False),
        ({"pending_operations": [{"type": "creating"}]}, True),
    ],
)
def test_an_update_that_was_killed_is_known_by_its_state(
    tmp_path: Path, deployment: object, expected: bool
) -> None:
    state = tmp_path / ".pulumi/stacks" / PROJECT / "local.json"
    assert interrupted(tmp_path, "local") is False
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": deployment}}))
    assert interrupted(tmp_path, "local") is expected


def script(folder: Path, name: str, body: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_a_stack_without_a_file_is_refused_by_its_name(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin", "pulumi", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(GroundError, match=r"no stacks/Pulumi.nope.yaml\n.*known: .*local"):
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
    return paths


def test_a_missing_context_is_told_with_those_there_are(kubectl: Paths) -> None:
    with pytest.raises(GroundError, match=r"no context 'nope' in .*; known are: mine, other\n"):
        ForeignCluster(kubectl, "nope")


def test_a_cluster_that_does_not_answer_is_told_in_one_line(kubectl: Paths) -> None:
    with pytest.raises(GroundError) as caught:
        ForeignCluster(kubectl, "other")
    assert str(caught.value).splitlines()[0] == (
        "the cluster of context 'other' does not answer: connection refused"
    )


def test_each_cluster_has_a_state_of_its_own(kubectl: Paths) -> None:
    env = ForeignCluster(kubectl, "mine").environment()
    assert env["PULUMI_BACKEND_URL"] == f"file://{kubectl.state}/clusters/uid-1"
    assert env["KUBECONFIG"] == f"{kubectl.state}/clusters/mine.kubeconfig"
    assert "DOCKER_HOST" not in env, "the user's own engine builds"
    assert (kubectl.state / "clusters/mine.kubeconfig").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize(("uid", "is_local"), [("uid-1", True), ("uid-2", False)])
def test_the_local_cluster_is_known_under_any_name(
    kubectl: Paths, uid: str, is_local: bool
) -> None:
    kubectl.state.mkdir(exist_ok=True)
    kubectl.kubeconfig.write_text(uid)
    env = ForeignCluster(kubectl, "mine").environment()
    assert (env["PULUMI_BACKEND_URL"] == environment.local_backend(kubectl)) is is_local
    assert ("DOCKER_HOST" in env) is is_local


def test_the_users_backend_and_passphrase_are_kept(
    kubectl: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "own")
    env = ForeignCluster(kubectl, "mine").environment()
    assert not {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(env)


def test_the_local_stacks_backend_is_not_taken_along_to_another_cluster(
    kubectl: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After eval "$(make -s env)" it stands in the environment."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", environment.local_backend(kubectl))
    env = ForeignCluster(kubectl, "mine").environment()
    assert env["PULUMI_BACKEND_URL"].endswith("/clusters/uid-1")
