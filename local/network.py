"""The addresses of the one-node cluster, and its bridge and kernel settings on this machine."""

from __future__ import annotations

from pathlib import Path

from local import rules
from local.paths import Paths
from local.shell import run

NODE = "model-deployment"
BRIDGE = "md0"
#: The bridge's address: the node's, and what pods reach the API server by.
NODE_ADDRESS = "10.244.0.1"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
API_PORT = 6443
API_SERVER = f"https://127.0.0.1:{API_PORT}"
REGISTRY = "localhost:5000"

#: Rules of ours stand in this chain.
CHAIN = rules.CHAIN
#: What the API server, kubelet and kube-proxy offer on all addresses is for this machine alone.
CLOSED_PORTS = (API_PORT, 10250, 10256)

#: Kernel settings that we, kubelet and kube-proxy change; `make down` puts them back.
SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.route_localnet",
    "vm.overcommit_memory",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)

#: Where CNI plugins keep a file per container and network; the folder is the same for all users.
_CNI_RESULTS = Path("/var/lib/cni/results")
#: Where kubelet links each container's log, whatever its own folders are.
_LOG_LINKS = Path("/var/log/containers")


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def bridge_exists() -> bool:
    """Whether our bridge stands on this machine."""
    return Path("/sys/class/net", BRIDGE).exists()


def set_up(paths: Paths) -> None:
    """Make the bridge, let it forward, and keep the API server off outside interfaces."""
    for name in SYSCTLS:
        kept = paths.run / f"sysctl-{name}"
        if not kept.exists() and _sysctl(name).exists():
            kept.write_text(_sysctl(name).read_text())
    _sysctl("net.ipv4.ip_forward").write_text("1")
    if not bridge_exists():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    # by itself, since an earlier run may have ended between the two
    run(["ip", "address", "replace", f"{NODE_ADDRESS}/16", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    rules.close(BRIDGE, CLOSED_PORTS)


def tear_down(paths: Paths) -> None:
    """Remove the bridge and the rules and put the kernel's settings back.

    Where neither our bridge nor our chain stands, rules of a Kubernetes are another's.
    """
    if bridge_exists() or rules.has_chain(rules.saved(), CHAIN):
        rules.remove(NODE)
    if bridge_exists():
        run(["ip", "link", "delete", BRIDGE])
    for name in SYSCTLS:
        kept = paths.run / f"sysctl-{name}"
        if kept.exists() and kept.read_text() not in ("", _sysctl(name).read_text()):
            _sysctl(name).write_text(kept.read_text())
    _forget_containers(paths)


def _forget_containers(paths: Paths) -> None:
    """Remove what CNI plugins and kubelet note of our containers outside our own folders."""
    for file in _CNI_RESULTS.glob("*"):
        if f"{paths.run}/" in file.read_text(errors="replace"):
            file.unlink()
    for link in _LOG_LINKS.glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{paths.logs}/"):
            link.unlink()
