"""The addresses of the one-node cluster, and its bridge and rules on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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

#: Rules of ours stand in this chain; Kubernetes' and the CNI plugins' begin with the other words.
CHAIN = "MODEL-DEPLOYMENT"
_OUR_RULES = (CHAIN, "KUBE-", "CNI-")

_SYSCTLS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet")


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def set_up(paths: Paths) -> None:
    """Make the bridge, let it forward, and keep the API server off outside interfaces."""
    for name in _SYSCTLS:
        kept = paths.run / f"sysctl-{name}"
        if not kept.exists():
            kept.write_text(_sysctl(name).read_text())
    _sysctl("net.ipv4.ip_forward").write_text("1")
    if not Path("/sys/class/net", BRIDGE).exists():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        run(["ip", "address", "add", f"{NODE_ADDRESS}/16", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    remove_rules(only=(CHAIN,))
    run(["iptables", "-w", "-N", CHAIN])
    for inside in ("lo", BRIDGE):
        run(["iptables", "-w", "-A", CHAIN, "-i", inside, "-j", "ACCEPT"])
    run(["iptables", "-w", "-A", CHAIN, "-o", BRIDGE, "-j", "ACCEPT"])
    closed = ["-p", "tcp", "-m", "multiport", "--dports", f"{API_PORT},10250,10256"]
    run(["iptables", "-w", "-A", CHAIN, *closed, "-j", "DROP"])
    for hook in ("INPUT", "FORWARD"):
        run(["iptables", "-w", "-I", hook, "-j", CHAIN])


def remove_rules(only: tuple[str, ...] = _OUR_RULES) -> None:
    """Take every rule and chain of the cluster out of iptables, in one step per table set."""
    for family in ("iptables", "ip6tables"):
        if not shutil.which(f"{family}-save"):
            continue
        saved = subprocess.run(
            [f"{family}-save"], capture_output=True, text=True, check=False
        ).stdout
        kept = [line for line in saved.splitlines() if not any(word in line for word in only)]
        if len(kept) != len(saved.splitlines()):
            run([f"{family}-restore", "-w"], stdin="\n".join(kept) + "\n")


def tear_down(paths: Paths) -> None:
    """Remove the bridge and the rules and put the kernel's settings back."""
    if Path("/sys/class/net", BRIDGE).exists():
        run(["ip", "link", "delete", BRIDGE])
    remove_rules()
    for name in _SYSCTLS:
        kept = paths.run / f"sysctl-{name}"
        if kept.exists():
            _sysctl(name).write_text(kept.read_text())
