"""The cluster's iptables rules: install our chain, and remove only rules of this cluster."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from local.shell import run

CHAIN = "MODEL-DEPLOYMENT"
"""The chain of our own rules."""
KUBERNETES_PREFIX = "KUBE-"
"""The prefix of the chains of kube-proxy and kubelet."""

_CNI_PREFIX = "CNI-"
_TARGET = re.compile(r" -[jg] (\S+)")
_NETWORK_NAME = re.compile(r'name: \\"([^"\\]*)\\"')
"""CNI plugins write the name of the network into the comment of each rule."""


def list_rules(family: str = "iptables") -> str:
    """Return all rules as text; an empty one if iptables is not installed."""
    if not shutil.which(f"{family}-save"):
        return ""
    return subprocess.run([f"{family}-save"], capture_output=True, text=True, check=False).stdout


def has_chain(rules: str, prefix: str) -> bool:
    """Return whether the rules contain a chain with this prefix."""
    return any(line.startswith(f":{prefix}") for line in rules.splitlines())


def chain_rules(bridge: str, blocked: Sequence[str]) -> str:
    """Return our chain: Pods can connect to everything, other machines to nothing of the cluster.

    `blocked` are matches for packets to this machine itself. The mangle table sees a packet after
    the DNAT of kube-proxy, so one rule covers Pods, Services, node ports and host ports. It comes
    before the filter table, where KUBE-FORWARD accepts such packets.

    The filter table accepts what a firewall that drops forwarded packets would stop: packets from
    Pods, and replies to them. It drops other packets to Pods itself: a program that resets the
    mangle table must not open the cluster to machines that route the Pod network here.
    """
    dropped = (f"-o {bridge}", *blocked)
    return "\n".join(
        [
            "*filter",
            f":{CHAIN} - [0:0]",
            f"-A {CHAIN} -i {bridge} -j ACCEPT",
            f"-A {CHAIN} -i lo -o {bridge} -j ACCEPT",
            f"-A {CHAIN} -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            f"-A {CHAIN} -o {bridge} -j DROP",
            f"-I INPUT -j {CHAIN}",
            f"-I FORWARD -j {CHAIN}",
            "COMMIT",
            "*mangle",
            f":{CHAIN} - [0:0]",
            f"-A {CHAIN} -i lo -j RETURN",
            f"-A {CHAIN} -i {bridge} -j RETURN",
            f"-A {CHAIN} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            *(f"-A {CHAIN} {match} -j DROP" for match in dropped),
            f"-I INPUT -j {CHAIN}",
            f"-I FORWARD -j {CHAIN}",
            "COMMIT",
            "",
        ]
    )


def cleanup_commands(text: str, network: str) -> str:
    """Return input of `iptables-restore --noflush` that removes the cluster's rules from `text`.

    These are our chain, the chains of Kubernetes, the CNI chains of `network`, and all jumps into
    them. Chains that CNI networks share are removed with the last network.
    """
    rule_lines = [line for line in text.splitlines() if line.startswith("-A ")]
    networks = {name for line in rule_lines for name in _NETWORK_NAME.findall(line)}
    is_last_network = networks <= {network}
    cni = {
        chain
        for line in rule_lines
        if network in _NETWORK_NAME.findall(line)
        for chain in (line.split()[1], *_TARGET.findall(line))
        if chain.startswith(_CNI_PREFIX) and not chain.startswith("CNI-HOSTPORT-")
    }

    def is_ours(chain: str) -> bool:
        if chain.startswith(_CNI_PREFIX):
            return is_last_network or chain in cni
        return chain == CHAIN or chain.startswith(KUBERNETES_PREFIX)

    return _delete_chains(text, is_ours)


def _delete_chains(text: str, is_ours: Callable[[str], bool]) -> str:
    """Return commands that delete our chains: per table first the jumps, then all their rules."""
    commands: list[str] = []
    table = ""
    chains: list[str] = []
    jumps: list[str] = []
    for line in text.splitlines():
        if line.startswith("*"):
            table, chains, jumps = line, [], []
        elif line.startswith(":") and is_ours(line[1:].split()[0]):
            chains.append(line[1:].split()[0])
        elif line.startswith("-A ") and not is_ours(line.split()[1]):
            if any(is_ours(target) for target in _TARGET.findall(line)):
                jumps.append(f"-D {line.removeprefix('-A ')}")
        elif line == "COMMIT" and chains:
            flushes = [f"-F {chain}" for chain in chains]
            commands += [table, *jumps, *flushes, *(f"-X {chain}" for chain in chains), line]
    return "".join(f"{line}\n" for line in commands)


def remove_rules(network: str) -> None:
    """Remove the cluster's rules for IPv4 and IPv6, each table atomically."""
    # not `kube-proxy --cleanup`: it keeps KUBE-FIREWALL and the chains of kubelet and of the CNI
    # plugins, and it flushes the IPVS table, which may contain rules of other programs
    for family in ("iptables", "ip6tables"):
        commands = cleanup_commands(list_rules(family), network)
        if commands:
            run([f"{family}-restore", "-w", "--noflush"], stdin=commands)


def install_chain(bridge: str, blocked: Mapping[str, Sequence[str]]) -> None:
    """Install our chain before the machine's other rules, for each family of `blocked`."""
    for family, matches in blocked.items():
        removal = _delete_chains(list_rules(family), lambda chain: chain == CHAIN)
        text = removal + chain_rules(bridge, matches)
        run([f"{family}-restore", "-w", "--noflush"], stdin=text)
