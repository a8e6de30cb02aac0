"""A machine that the local stack cannot work with gets one clear sentence and a way out."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from local import cgroups, ground, network, rules, supervise
from local.errors import GroundError
from local.paths import Paths

Usage = namedtuple("Usage", ["total", "used", "free"])
ALL = "CapEff:\t000001ffffffffff\n"


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine where every check passes; a test spoils one thing."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(ground, "_check_capabilities", lambda status: None)
    monkeypatch.setattr(cgroups, "prepare", lambda: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 100 * 2**30))
    monkeypatch.setattr(supervise, "states", lambda paths: {})
    monkeypatch.setattr(supervise, "marked", lambda paths: {})
    monkeypatch.setattr(rules, "saved", lambda: "")
    monkeypatch.setattr(ground, "_node_agents", dict)
    monkeypatch.setattr(ground, "PORTS", {})
    monkeypatch.setattr(network, "bridge_exists", lambda: False)
    return monkeypatch


def refusal(paths: Paths, *, built: bool = True) -> str:
    with pytest.raises(GroundError) as caught:
        ground.check(paths, built=built)
    return str(caught.value)


def test_a_good_machine_passes(good: pytest.MonkeyPatch, paths: Paths) -> None:
    ground.check(paths, built=False)


def test_another_user_than_root_is_told_of_sudo_and_of_clusters(
    good: pytest.MonkeyPatch, paths: Paths
) -> None:
    good.setattr("os.geteuid", lambda: 1000)
    assert refusal(paths).startswith("a Kubernetes node needs root; this is user 1000\n  -> ")
    assert "make up CLUSTER=" in refusal(paths)


def test_root_of_a_container_without_privileges() -> None:
    with pytest.raises(GroundError, match=r"lacks CAP_NET_ADMIN, CAP_SYS_ADMIN.*\n.*--privileged"):
        ground._check_capabilities("Name:\tx\nCapEff:\t00000000a80425fb\n")  # Docker's default
    ground._check_capabilities(ALL)


@pytest.mark.parametrize("folder", ["state", "cache"])
def test_a_full_disk_names_the_folder_and_the_need(
    good: pytest.MonkeyPatch, paths: Paths, folder: str
) -> None:
    full = getattr(paths, folder)
    full.mkdir(parents=True)
    good.setattr(
        shutil, "disk_usage", lambda path: Usage(0, 0, 2**31 if path == full else 100 * 2**30)
    )
    assert refusal(paths).startswith(f"2.0 GiB are free below {full}, {ground.RUN_GIB} are needed")
    assert f"{ground.BUILD_GIB} are needed" in refusal(paths, built=False)


def test_a_taken_port_names_who_wants_it(good: pytest.MonkeyPatch, paths: Paths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        good.setattr(ground, "PORTS", {port: "the front door"})
        found = refusal(paths)
    assert found.startswith(f"port {port} is taken, and the front door wants to listen there")
    assert f"sport = :{port}" in found
    ground.check(paths, built=True)


def test_our_own_running_processes_hold_their_ports_rightly(
    good: pytest.MonkeyPatch, paths: Paths
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        good.setattr(ground, "PORTS", {server.getsockname()[1]: "etcd"})
        good.setattr(supervise, "marked", lambda paths: {1: "etcd"})
        ground.check(paths, built=True)


def test_another_kubernetes_is_known_by_its_rules(good: pytest.MonkeyPatch, paths: Paths) -> None:
    good.setattr(rules, "saved", lambda: ":KUBE-SERVICES - [0:0]\n")
    assert "another Kubernetes is on this machine: its rules" in refusal(paths)


def test_another_kubernetes_is_known_by_its_agent(good: pytest.MonkeyPatch, paths: Paths) -> None:
    good.setattr(ground, "_node_agents", lambda: {42: "k3s-server"})
    assert "another Kubernetes is on this machine: process 42 (k3s-server)" in refusal(paths)


def test_rules_that_a_crash_of_ours_left_are_no_other_kubernetes(
    good: pytest.MonkeyPatch, paths: Paths
) -> None:
    good.setattr(rules, "saved", lambda: ":KUBE-SERVICES - [0:0]\n:MODEL-DEPLOYMENT - [0:0]\n")
    ground.check(paths, built=True)


@pytest.fixture
def hierarchy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    root = tmp_path / "cgroup"
    root.mkdir()
    monkeypatch.setattr(cgroups, "ROOT", root)
    return root


def test_cgroups_that_are_not_mounted(hierarchy: Path) -> None:
    hierarchy.rmdir()
    with pytest.raises(GroundError, match=r"controllers are missing below .*: cpu, cpuacct"):
        cgroups.prepare()
    assert cgroups.processes() == []
    cgroups.remove()


def test_cgroups_of_version_1_with_one_controller_missing(hierarchy: Path) -> None:
    for name in cgroups.V1:
        (hierarchy / name).mkdir()
        (hierarchy / name / "cgroup.procs").touch()
    cgroups.prepare()
    assert [folder.parent.name for folder in cgroups.folders()] == sorted(cgroups.V1)
    shutil.rmtree(hierarchy / "pids")
    with pytest.raises(GroundError, match=r"controllers are missing below .*: pids\n"):
        cgroups.prepare()


def unified(root: Path, controllers: str) -> Path:
    (root / "cgroup.controllers").write_text(controllers)
    control = root / "cgroup.subtree_control"
    control.write_text("cpu\n")
    return control


def test_cgroups_of_version_2_are_handed_down(hierarchy: Path) -> None:
    control = unified(hierarchy, "cpuset cpu io memory pids\n")
    cgroups.prepare()
    assert control.read_text() == "+cpuset +memory +pids"
    assert cgroups.folders() == [hierarchy / "model-deployment"]


def test_cgroups_of_version_2_without_memory(hierarchy: Path) -> None:
    unified(hierarchy, "cpuset cpu io pids\n")
    with pytest.raises(GroundError, match=r"controllers are missing below .*: memory\n"):
        cgroups.prepare()


def test_cgroups_that_are_read_only(hierarchy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, **_: object) -> None:
        raise OSError(30, "Read-only file system", str(folder))

    unified(hierarchy, "cpuset cpu memory pids")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(GroundError, match=r"cannot be used: .*Read-only.*\n.*privileged"):
        cgroups.prepare()


def test_cgroup_folders_go_with_what_is_below_them(hierarchy: Path) -> None:
    unified(hierarchy, "cpuset cpu memory pids")
    (hierarchy / "model-deployment/kubepods/besteffort").mkdir(parents=True)
    cgroups.remove()
    assert not (hierarchy / "model-deployment").exists()
