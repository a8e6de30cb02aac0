"""Another machine of the local network: a network namespace with routes to the cluster."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

NAMESPACE = "neighbor"
LINK = "neighbor0"
MACHINE = {"IPv4": "198.51.100.1", "IPv6": "2001:db8:77::1"}
"""This machine's addresses in the network that it shares with the neighbor."""
NETWORKS = ("10.244.0.0/16", "10.96.0.0/16", "127.0.0.0/8")
"""Of Pods, of Services, and of the loopback."""

CALLER = Path(__file__).parents[1] / "policies/caller.py"

_ADDRESSES = {LINK: MACHINE.values(), "eth0": ("198.51.100.2", "2001:db8:77::2")}
_PREFIX_LENGTHS = (24, 64)

Reached = set[tuple[str, int]]
"""Names of addresses, and their ports that answered; the port of DNS by UDP is negative."""


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Connect the neighbor to this machine; it sends what is meant for the cluster here."""
    _remove()
    try:
        _run("ip", "netns", "add", NAMESPACE)
        peer = ("peer", "name", "eth0", "netns", NAMESPACE)
        _run("ip", "link", "add", LINK, "type", "veth", *peer)
        for link, addresses in _ADDRESSES.items():
            ip = ("ip",) if link == LINK else ("ip", "-n", NAMESPACE)
            for address, length in zip(addresses, _PREFIX_LENGTHS, strict=True):
                unverified = ("nodad",) if ":" in address else ()
                _run(*ip, "address", "add", f"{address}/{length}", "dev", link, *unverified)
            _run(*ip, "link", "set", link, "up")
        # with its loopback down, packets for 127.0.0.1 go to this machine
        _run(
            "ip", "netns", "exec", NAMESPACE, "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"
        )
        for network in NETWORKS:
            _run("ip", "-n", NAMESPACE, "route", "add", network, "via", MACHINE["IPv4"])
        yield
    finally:
        _remove()


def reach_from_neighbor(targets: Mapping[str, str], ports: Sequence[int]) -> Reached:
    """Return the ports of ``targets`` (addresses by name) that answer the neighbor."""
    return _reach(targets, ports, "ip", "netns", "exec", NAMESPACE)


def reach_from_machine(targets: Mapping[str, str], ports: Sequence[int]) -> Reached:
    """Return the ports of ``targets`` (addresses by name) that answer this machine."""
    return _reach(targets, ports)


def _reach(targets: Mapping[str, str], ports: Sequence[int], *prefix: str) -> Reached:
    arguments = (json.dumps(dict(targets)), json.dumps(list(ports)))
    output = _run(*prefix, sys.executable, str(CALLER), *arguments)
    return {(name, port) for name, port in json.loads(output)}


def _remove() -> None:
    """Remove the namespace, also one of a run that was killed; its link disappears with it."""
    if NAMESPACE in [line.split()[0] for line in _run("ip", "netns", "list").splitlines()]:
        _run("ip", "netns", "delete", NAMESPACE)
    # the kernel removes the pair a moment after the namespace
    subprocess.run(["ip", "link", "delete", LINK], capture_output=True, check=False)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
