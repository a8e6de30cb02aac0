"""Preflight checks and cgroups: what is refused, and with which message."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from local.errors import SetupError
from local.node import cgroups, iptables, network, preflight, supervisord
from local.paths import Paths

Usage = namedtuple("Usage", ["total", "used", "free"])
ALL = "CapEff:\t000001ffffffffff\n"


@pytest.fixture
def suitable(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine where every check passes; a test changes one thing."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "_check_capabilities", lambda status: None)
    monkeypatch.setattr(cgroups, "prepare", lambda: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 100 * 2**30))
    monkeypatch.setattr(supervisord, "states", lambda paths: {})
    monkeypatch.setattr(supervisord, "owned_processes", lambda paths: {})
    monkeypatch.setattr(iptables, "list_rules", lambda: "")
    monkeypatch.setattr(preflight, "_node_agents", dict)
    monkeypatch.setattr(preflight, "PORTS", {})
    monkeypatch.setattr(network, "bridge_exists", lambda: False)
    return monkeypatch


def refusal(paths: Paths, *, is_built: bool = True) -> str:
    with pytest.raises(SetupError) as caught:
        preflight.check(paths, is_built=is_built)
    return str(caught.value)


def test_check_accepts_suitable_machine(suitable: pytest.MonkeyPatch, paths: Paths) -> None:
    preflight.check(paths, is_built=False)


def test_check_refuses_other_users_than_root(suitable: pytest.MonkeyPatch, paths: Paths) -> None:
    suitable.setattr("os.geteuid", lambda: 1000)
    assert refusal(paths).startswith("a Kubernetes node requires root; this is user 1000\n  -> ")
    assert "make up CLUSTER=" in refusal(paths)


def test_check_refuses_container_without_capabilities() -> None:
    with pytest.raises(SetupError, match=r"lacks CAP_NET_ADMIN, CAP_SYS_ADMIN.*\n.*--privileged"):
        preflight._check_capabilities("Name:\tx\nCapEff:\t00000000a80425fb\n")  # Docker's default
    preflight._check_capabilities(ALL)


@pytest.mark.parametrize("folder", ["state", "cache"])
def test_check_refuses_full_disk_with_folder_and_size(
    suitable: pytest.MonkeyPatch, paths: Paths, folder: str
) -> None:
    full = getattr(paths, folder)
    full.mkdir(parents=True)
    suitable.setattr(
        shutil, "disk_usage", lambda path: Usage(0, 0, 2**31 if path == full else 100 * 2**30)
    )
    assert refusal(paths).startswith(
        f"{full} has 2.0 GiB of free space, {preflight.RUN_GIB} GiB are"
    )
    assert f", {preflight.BUILD_GIB} GiB are required" in refusal(paths, is_built=False)


def test_check_refuses_port_in_use_with_its_listener(
    suitable: pytest.MonkeyPatch, paths: Paths
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        suitable.setattr(preflight, "PORTS", {port: "the public endpoint"})
        message = refusal(paths)
    assert message.startswith(f"port {port} is in use, and the public endpoint has to listen there")
    assert f"sport = :{port}" in message
    preflight.check(paths, is_built=True)


def test_check_accepts_ports_of_our_own_processes(
    suitable: pytest.MonkeyPatch, paths: Paths
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        suitable.setattr(preflight, "PORTS", {server.getsockname()[1]: "kubelet"})
        suitable.setattr(supervisord, "owned_processes", lambda paths: {1: "kubelet"})
        preflight.check(paths, is_built=True)


def test_check_refuses_rules_of_another_kubernetes(
    suitable: pytest.MonkeyPatch, paths: Paths
) -> None:
    suitable.setattr(iptables, "list_rules", lambda: ":KUBE-SERVICES - [0:0]\n")
    assert "another Kubernetes is on this machine: its iptables rules" in refusal(paths)


def test_check_refuses_agent_of_another_kubernetes(
    suitable: pytest.MonkeyPatch, paths: Paths
) -> None:
    suitable.setattr(preflight, "_node_agents", lambda: {42: "k3s-server"})
    assert "another Kubernetes is on this machine: process 42 (k3s-server)" in refusal(paths)


def test_check_accepts_our_rules_after_a_crash(suitable: pytest.MonkeyPatch, paths: Paths) -> None:
    suitable.setattr(iptables, "list_rules", lambda: ":KUBE-SERVICES -\n:MODEL-DEPLOYMENT -\n")
    preflight.check(paths, is_built=True)


@pytest.fixture
def hierarchy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    root = tmp_path / "cgroup"
    root.mkdir()
    monkeypatch.setattr(cgroups, "ROOT", root)
    return root


def test_cgroups_without_mount_are_refused(hierarchy: Path) -> None:
    hierarchy.rmdir()
    with pytest.raises(SetupError, match=r"controllers are missing below .*: cpu, cpuacct"):
        cgroups.prepare()
    assert cgroups.processes() == []
    cgroups.remove()


def test_cgroups_v1_without_one_controller_are_refused(hierarchy: Path) -> None:
    for name in cgroups.V1_CONTROLLERS:
        (hierarchy / name).mkdir()
        (hierarchy / name / "cgroup.procs").touch()
    cgroups.prepare()
    assert [folder.parent.name for folder in cgroups.folders()] == sorted(cgroups.V1_CONTROLLERS)
    shutil.rmtree(hierarchy / "pids")
    with pytest.raises(SetupError, match=r"controllers are missing below .*: pids\n"):
        cgroups.prepare()


def unified(root: Path, controllers: str) -> Path:
    (root / "cgroup.controllers").write_text(controllers)
    control = root / "cgroup.subtree_control"
    control.write_text("cpu\n")
    return control


def test_cgroups_v2_controllers_are_enabled(hierarchy: Path) -> None:
    control = unified(hierarchy, "cpuset cpu io memory pids\n")
    cgroups.prepare()
    assert control.read_text() == "+cpuset +memory +pids"
    assert cgroups.folders() == [hierarchy / "model-deployment"]


def test_cgroups_v2_without_memory_are_refused(hierarchy: Path) -> None:
    unified(hierarchy, "cpuset cpu io pids\n")
    with pytest.raises(SetupError, match=r"controllers are missing below .*: memory\n"):
        cgroups.prepare()


def test_read_only_cgroups_are_refused(hierarchy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, **_: object) -> None:
        raise OSError(30, "Read-only file system", str(folder))

    unified(hierarchy, "cpuset cpu memory pids")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SetupError, match=r"are not writable: .*Read-only.*\n.*privileged"):
        cgroups.prepare()


def test_remove_deletes_nested_cgroups(hierarchy: Path) -> None:
    unified(hierarchy, "cpuset cpu memory pids")
    (hierarchy / "model-deployment/kubepods/besteffort").mkdir(parents=True)
    cgroups.remove()
    assert not (hierarchy / "model-deployment").exists()
