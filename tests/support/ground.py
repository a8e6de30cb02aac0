"""The local stack's ground from outside: its processes, and what it leaves on the machine.

Knows the names on the machine and nothing of `local`: what forgets a process must not be asked for
the list of processes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "model-deployment"
MARK = f"MODEL_DEPLOYMENT_GROUND={STATE}".encode()
"""In the environment of each process of this user's ground, and of no other's."""
RUN = Path("/run/model-deployment")
CGROUP = "model-deployment"
BRIDGE = "md0"
CHAINS = ("KUBE-", "CNI-", "MODEL-DEPLOYMENT", BRIDGE)
PORTS = (2379, 2380, 5000, 6443, 8000, 10248, 10250, 10256, 10257, 10259)
PARTS = {
    "supervisord", "etcd", "containerd", "docker-registry", "kube-apiserver",
    "kube-controller-manager", "kube-scheduler", "dockerd", "kubelet", "kube-proxy", "traefik",
    "coredns", "pause", "model_harness",
}  # fmt: skip
"""Programs of which at least one process runs while the stack is up."""


def processes() -> dict[int, str]:
    """Everything that `make up` started, with its command line: of the ground, and in pods."""
    in_pods = {
        int(line)
        for folder in cgroups()
        for path, _, _ in os.walk(folder)
        for line in _read(Path(path, "cgroup.procs")).split()
    }
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid in in_pods or MARK in _read(folder / "environ").split(b"\0"):
            found[pid] = _read(folder / "cmdline").replace(b"\0", b" ").decode()
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # gone meanwhile


def cgroups() -> list[Path]:
    """Our folder in each hierarchy, of cgroup v1 as of v2."""
    root = Path("/sys/fs/cgroup")
    return [path for path in (root / CGROUP, *root.glob(f"*/{CGROUP}")) if path.is_dir()]


def _build_cgroups() -> list[Path]:
    """Where our dockerd builds, unless this machine has a Docker of its own."""
    if Path("/var/run/docker.sock").exists():
        return []
    return list(Path("/sys/fs/cgroup").glob("*/docker/buildkit"))


def kill_all(seconds: float = 20.0) -> set[str]:
    """`kill -9` of everything, again until nothing is left; returns which parts were killed."""
    killed: dict[int, str] = {}
    end = time.monotonic() + seconds
    while living := processes():
        assert time.monotonic() < end, f"still there after kill -9: {living}"
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        killed = living | killed  # one that is ending has no command line any more
        time.sleep(0.1)
    return {part for part in PARTS if any(part in command for command in killed.values())}


def leftovers() -> dict[str, list[str]]:
    """What is still on the machine of a stack that was taken down; nothing, if all is well."""
    ours = (f"{STATE}/", f"{RUN}/")
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    rules = "".join(
        subprocess.run([f"{tables}-save"], capture_output=True, text=True, check=True).stdout
        for tables in ("iptables", "ip6tables")
    )
    found = {
        "processes": list(processes().values()),
        "mounts": [mount for mount in mounts if mount.startswith(ours) or "/cni-" in mount],
        "interfaces": [
            link.name
            for link in Path("/sys/class/net").iterdir()
            if link.name == BRIDGE or link.name.startswith("veth")
        ],
        "rules": [line for line in rules.splitlines() if any(word in line for word in CHAINS)],
        "cgroups": [str(folder) for folder in (*cgroups(), *_build_cgroups())],
        "ports": [str(port) for port in PORTS if _open(port)],
        "folders": [str(RUN)] if RUN.exists() else [],
    }
    return {kind: items for kind, items in found.items() if items}


def _open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def memory_mib() -> float:
    """Memory of all processes, shared pages counted once (PSS)."""
    total = 0
    for pid in processes():
        for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1])
    return total / 1024


def cores(seconds: float) -> float:
    """How many cores all processes keep busy, over the next seconds."""
    before, started = _ticks(), time.monotonic()
    time.sleep(seconds)
    after, waited = _ticks(), time.monotonic() - started
    used = sum(max(0, after[pid] - before.get(pid, 0)) for pid in after)
    return used / os.sysconf("SC_CLK_TCK") / waited


def _ticks() -> dict[int, int]:
    """Processor time of each process, in clock ticks, with that of its ended children."""
    found = {}
    for pid in processes():
        if fields := _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split():
            found[pid] = sum(int(field) for field in fields[11:15])
    return found
