"""Preflight checks: what the local cluster requires of this machine."""

import os
import shutil
import socket
from pathlib import Path

from local.errors import SetupError
from local.node import cgroups, iptables, network, supervisord
from local.paths import Paths

PORTS = {
    5000: "the image registry",
    6443: "the Kubernetes API server",
    8000: "the public endpoint",
    10248: "kubelet",
    10249: "kube-proxy",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
"""The ports of the local stack and what listens on each."""

BUILD_GIB, RUN_GIB = 20, 4
"""Free disk space for a first build, and for a stack whose tools are built."""

REQUIRED_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21}
"""Capabilities for mounts and networks, with their bits in the kernel."""

NODE_AGENTS = ("kubelet", "k3s", "k3s-server", "k3s-agent", "k0s", "rke2", "microk8s")
"""Programs of a Kubernetes node, as the kernel abbreviates their names."""

_OTHER_CLUSTER = "or use another cluster: make up CLUSTER=<context>"


def check(paths: Paths, *, is_built: bool) -> None:
    """Raise SetupError for the first requirement that this machine does not meet."""
    check_root()
    _check_capabilities(Path("/proc/self/status").read_text())
    if "overlay" not in Path("/proc/filesystems").read_text():
        raise SetupError("the kernel does not support overlayfs", "modprobe overlay")
    cgroups.prepare()
    _check_disk(paths, RUN_GIB if is_built else BUILD_GIB)
    if not supervisord.states(paths) and not supervisord.owned_processes(paths):
        _check_other_kubernetes()
        _check_ports()


def check_root() -> None:
    """Raise SetupError unless this is root, which starting and stopping a node require."""
    if os.geteuid() != 0:
        raise SetupError(
            f"a Kubernetes node requires root; this is user {os.geteuid()}",
            f"run as root (sudo make ...), {_OTHER_CLUSTER}",
        )


def _check_capabilities(status: str) -> None:
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    effective = int(line.split()[1], 16)
    missing = [name for name, bit in REQUIRED_CAPABILITIES.items() if not effective >> bit & 1]
    if missing:
        raise SetupError(
            f"root lacks {', '.join(missing)}, as in a container without privileges",
            f"run the container with --privileged, {_OTHER_CLUSTER}",
        )


def _check_disk(paths: Paths, required_gib: int) -> None:
    for folder in (paths.state, paths.cache):
        free = shutil.disk_usage(_nearest_existing(folder)).free / 2**30
        if free < required_gib:
            raise SetupError(
                f"{folder} has {free:.1f} GiB of free space, {required_gib} GiB are required",
                "free some space, or set XDG_STATE_HOME and XDG_CACHE_HOME to other folders",
            )


def _nearest_existing(path: Path) -> Path:
    return path if path.exists() else _nearest_existing(path.parent)


def _check_other_kubernetes() -> None:
    """Raise SetupError for another Kubernetes, which would write into the same iptables chains."""
    rules = iptables.list_rules()
    is_ours = network.bridge_exists() or iptables.has_chain(rules, iptables.CHAIN)
    traces = [f"process {pid} ({name})" for pid, name in _node_agents().items()]
    if iptables.has_chain(rules, iptables.KUBERNETES_PREFIX) and not is_ours:
        traces.append("its iptables rules (iptables-save prints KUBE- chains)")
    if traces:
        raise SetupError(
            f"another Kubernetes is on this machine: {', '.join(traces)}",
            f"stop it and remove its rules, {_OTHER_CLUSTER}",
        )


def _node_agents() -> dict[int, str]:
    """Return node agents in this network namespace, not those of clusters in containers."""
    namespace = os.stat("/proc/self/ns/net").st_ino
    agents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            if name in NODE_AGENTS and (folder / "ns/net").stat().st_ino == namespace:
                agents[int(folder.name)] = name
        except OSError:
            continue  # the process ended
    return agents


def _check_ports() -> None:
    for port, listener in PORTS.items():
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise SetupError(
                    f"port {port} is in use, and {listener} has to listen there",
                    f"stop the program (`ss -ltnp 'sport = :{port}'` prints it), {_OTHER_CLUSTER}",
                )
