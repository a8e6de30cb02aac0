"""Addresses of the cluster, its bridge, its firewall and the kernel settings of this machine."""

from pathlib import Path

from local.node import iptables
from local.paths import Paths
from local.shell import run

NODE = "model-deployment"
BRIDGE = "md0"
NODE_ADDRESS = "10.244.0.1"
"""The address of the node and of its bridge, which Pods use for the API server."""
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
DNS_SERVICE = "10.96.0.10"
API_PORT = 6443
API_SERVER = f"https://127.0.0.1:{API_PORT}"

_API_SERVER_MATCH = f"-p tcp --dport {API_PORT} -m addrtype --dst-type LOCAL"
"""The API server listens on every address of this machine: it can bind to one or to all of them,
and Pods use another one than programs of this machine."""
BLOCKED = {
    "iptables": (
        _API_SERVER_MATCH,
        f"-d {NODE_ADDRESS}",
        "-d 127.0.0.0/8",
        f"-d {SERVICE_NETWORK} -m addrtype ! --dst-type LOCAL",
    ),
    "ip6tables": (_API_SERVER_MATCH,),
}
"""Destinations that other machines must not reach in addition to Pods, as iptables matches.

A machine on the same link can address the node and, because kube-proxy sets route_localnet, also
the loopback interface.
"""

SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.route_localnet",
    "vm.overcommit_memory",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
"""Kernel settings that we, kubelet and kube-proxy change; `make down` restores them."""

_CNI_RESULTS = Path("/var/lib/cni/results")
"""Results of the CNI plugins, a file per container and network, of all users."""
_LOG_LINKS = Path("/var/log/containers")
"""Links to the logs of containers, which kubelet creates here whatever its configuration is."""


def _sysctl_file(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def bridge_exists() -> bool:
    """Return whether our bridge exists."""
    return Path("/sys/class/net", BRIDGE).exists()


def set_up(paths: Paths) -> None:
    """Create the bridge, enable forwarding and block other machines."""
    for name in SYSCTLS:
        saved_value = paths.run / f"sysctl-{name}"
        if not saved_value.exists() and _sysctl_file(name).exists():
            saved_value.write_text(_sysctl_file(name).read_text())
    _sysctl_file("net.ipv4.ip_forward").write_text("1")
    if not bridge_exists():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    # separate from the creation, after which an earlier run may have ended
    run(["ip", "address", "replace", f"{NODE_ADDRESS}/16", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    has_ipv6 = Path("/proc/net/if_inet6").exists()
    families = BLOCKED if has_ipv6 else {"iptables": BLOCKED["iptables"]}
    iptables.install_chain(BRIDGE, families)


def tear_down(paths: Paths) -> None:
    """Remove the bridge and the rules and restore the kernel settings.

    Without our bridge and our chain, the rules belong to another Kubernetes.
    """
    if bridge_exists() or iptables.has_chain(iptables.list_rules(), iptables.CHAIN):
        iptables.remove_rules(NODE)
    if bridge_exists():
        run(["ip", "link", "delete", BRIDGE])
    for name in SYSCTLS:
        saved_value = paths.run / f"sysctl-{name}"
        if not saved_value.exists():
            continue
        if saved_value.read_text() not in ("", _sysctl_file(name).read_text()):
            _sysctl_file(name).write_text(saved_value.read_text())
    _delete_container_files(paths)


def _delete_container_files(paths: Paths) -> None:
    """Delete files of our containers that CNI plugins and kubelet write outside of our folders."""
    for file in _CNI_RESULTS.glob("*"):
        if f"{paths.run}/" in file.read_text(errors="replace"):
            file.unlink()
    for link in _LOG_LINKS.glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{paths.logs}/"):
            link.unlink()
