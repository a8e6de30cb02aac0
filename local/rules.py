"""The cluster's iptables rules: which are ours, and how they go without touching another's."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable

from local.shell import run

#: Rules of ours stand in this chain; those of kube-proxy and kubelet in chains called KUBE-*.
CHAIN = "MODEL-DEPLOYMENT"
CLUSTER = "KUBE-"

_CNI = "CNI-"
_TARGET = re.compile(r" -[jg] (\S+)")
#: CNI plugins write the network's name into the comment of each rule.
_NETWORK = re.compile(r'name: \\"([^"\\]*)\\"')


def saved(family: str = "iptables") -> str:
    """All rules as text; nothing where the program is not installed."""
    if not shutil.which(f"{family}-save"):
        return ""
    return subprocess.run([f"{family}-save"], capture_output=True, text=True, check=False).stdout


def has_chain(text: str, start: str) -> bool:
    """Whether a chain whose name begins with ``start`` stands in the saved rules."""
    return any(line.startswith(f":{start}") for line in text.splitlines())


def opening(bridge: str, closed_ports: tuple[int, ...]) -> str:
    """Our chain: the bridge's traffic passes; the node's own ports are closed to the outside."""
    ports = ",".join(map(str, closed_ports))
    return "\n".join(
        [
            "*filter",
            f":{CHAIN} - [0:0]",
            f"-A {CHAIN} -i lo -j ACCEPT",
            f"-A {CHAIN} -i {bridge} -j ACCEPT",
            f"-A {CHAIN} -o {bridge} -j ACCEPT",
            f"-A {CHAIN} -p tcp -m multiport --dports {ports} -j DROP",
            f"-I INPUT -j {CHAIN}",
            f"-I FORWARD -j {CHAIN}",
            "COMMIT",
            "",
        ]
    )


def removal(text: str, network: str) -> str:
    """What ``iptables-restore --noflush`` must read to remove our rules from those in ``text``.

    Ours are our own chain, the cluster's, the CNI chains of ``network``, and the jumps into them.
    Chains that CNI networks share go with the last network.
    """
    rules = [line for line in text.splitlines() if line.startswith("-A ")]
    networks = {name for line in rules for name in _NETWORK.findall(line)}
    alone = networks <= {network}
    cni = {
        chain
        for line in rules
        if network in _NETWORK.findall(line)
        for chain in (line.split()[1], *_TARGET.findall(line))
        if chain.startswith(_CNI) and not chain.startswith("CNI-HOSTPORT-")
    }

    def ours(chain: str) -> bool:
        if chain.startswith(_CNI):
            return alone or chain in cni
        return chain == CHAIN or chain.startswith(CLUSTER)

    return _commands(text, ours)


def _commands(text: str, ours: Callable[[str], bool]) -> str:
    """Per table: the jumps out of other chains first, then our chains, emptied before they go."""
    out: list[str] = []
    table = ""
    chains: list[str] = []
    jumps: list[str] = []
    for line in text.splitlines():
        if line.startswith("*"):
            table, chains, jumps = line, [], []
        elif line.startswith(":") and ours(line[1:].split()[0]):
            chains.append(line[1:].split()[0])
        elif line.startswith("-A ") and not ours(line.split()[1]):
            if any(ours(target) for target in _TARGET.findall(line)):
                jumps.append(f"-D {line.removeprefix('-A ')}")
        elif line == "COMMIT" and chains:
            emptied = [f"-F {chain}" for chain in chains]
            out += [table, *jumps, *emptied, *(f"-X {chain}" for chain in chains), line]
    return "".join(f"{line}\n" for line in out)


def remove(network: str) -> None:
    """Take every rule and chain of the cluster out of both families, each table in one step."""
    for family in ("iptables", "ip6tables"):
        commands = removal(saved(family), network)
        if commands:
            run([f"{family}-restore", "-w", "--noflush"], stdin=commands)


def close(bridge: str, closed_ports: tuple[int, ...]) -> None:
    """Put our chain in place, before what else stands in INPUT and FORWARD."""
    earlier = _commands(saved(), lambda chain: chain == CHAIN)
    text = earlier + opening(bridge, closed_ports)
    run(["iptables-restore", "-w", "--noflush"], stdin=text)
