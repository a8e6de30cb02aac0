"""Looks at the machine before anything is built; says in a sentence what stands in the way."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from local import cgroups, network, rules, supervise
from local.errors import GroundError
from local.paths import Paths

#: What listens on each port once the stack runs.
PORTS = {
    2379: "etcd",
    2380: "etcd",
    5000: "the image registry",
    6443: "the Kubernetes API server",
    8000: "the front door",
    10248: "kubelet",
    10249: "kube-proxy",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}

#: Free space that a first build needs, and that a running stack needs, in GiB.
BUILD_GIB, RUN_GIB = 20, 4

#: Without these root may neither mount nor set up a network: capability -> its bit in the kernel.
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21}

#: Programs of a Kubernetes node, as the kernel shortens their names.
NODE_AGENTS = ("kubelet", "k3s", "k3s-server", "k3s-agent", "k0s", "rke2", "microk8s")

_ELSEWHERE = "or use a cluster of yours: make up CLUSTER=<context>"


def check(paths: Paths, *, built: bool) -> None:
    """Raise GroundError for the first thing that the local stack cannot work with."""
    check_root()
    _check_capabilities(Path("/proc/self/status").read_text())
    if "overlay" not in Path("/proc/filesystems").read_text():
        raise GroundError("the kernel knows no overlay file system", "modprobe overlay")
    cgroups.prepare()
    _check_disk(paths, RUN_GIB if built else BUILD_GIB)
    if not supervise.states(paths) and not supervise.marked(paths):
        _check_other_kubernetes()
        _check_ports()


def check_root() -> None:
    """A node's processes, mounts and rules are root's, also when they are taken down."""
    if os.geteuid() != 0:
        raise GroundError(
            f"a Kubernetes node needs root; this is user {os.geteuid()}",
            f"run as root (sudo make ...), {_ELSEWHERE}",
        )


def _check_capabilities(status: str) -> None:
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    missing = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if missing:
        raise GroundError(
            f"this root lacks {', '.join(missing)}: that of a container without privileges",
            f"run the container with --privileged, {_ELSEWHERE}",
        )


def _check_disk(paths: Paths, needed: int) -> None:
    for folder in (paths.state, paths.cache):
        free = shutil.disk_usage(_existing(folder)).free / 2**30
        if free < needed:
            raise GroundError(
                f"{free:.1f} GiB are free below {folder}, {needed} are needed",
                "make room, or name other folders by XDG_STATE_HOME and XDG_CACHE_HOME",
            )


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _check_other_kubernetes() -> None:
    """Two of them would write into the same chains. What is left of ours has our own chain."""
    saved = rules.saved()
    ours = network.bridge_exists() or rules.has_chain(saved, network.CHAIN)
    found = [f"process {pid} ({name})" for pid, name in _node_agents().items()]
    if rules.has_chain(saved, rules.CLUSTER) and not ours:
        found.append("its rules (iptables-save shows KUBE- chains)")
    if found:
        raise GroundError(
            f"another Kubernetes is on this machine: {', '.join(found)}",
            f"end it and remove its rules, {_ELSEWHERE}",
        )


def _node_agents() -> dict[int, str]:
    """Agents in this machine's own network; those of a cluster in containers have another one."""
    here = os.stat("/proc/self/ns/net").st_ino
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            if name in NODE_AGENTS and (folder / "ns/net").stat().st_ino == here:
                found[int(folder.name)] = name
        except OSError:
            continue  # ended meanwhile
    return found


def _check_ports() -> None:
    for port, what in PORTS.items():
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise GroundError(
                    f"port {port} is taken, and {what} wants to listen there",
                    f"end that program (`ss -ltnp 'sport = :{port}'` names it), {_ELSEWHERE}",
                )
