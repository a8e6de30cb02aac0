"""The processes of the local stack, and what it leaves on the machine.

Names are repeated on purpose: a process that `local` misses is missing in its lists, too.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.support.time_limits import at_most

STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "model-deployment"
OWNER_VARIABLES = {
    f"{name}={STATE}".encode() for name in ("MODEL_DEPLOYMENT_OWNER", "MODEL_DEPLOYMENT_GROUND")
}
"""In the environment of this user's node processes; the second if an earlier version runs."""
RUN = Path("/run/model-deployment")
CGROUP = "model-deployment"
BRIDGE = "md0"
CHAINS = ("KUBE-", "CNI-", "MODEL-DEPLOYMENT", BRIDGE)
PORTS = (5000, 6443, 8000, 10248, 10250, 10256, 10257, 10259)
PARTS = {
    "supervisord", "etcd", "containerd", "docker-registry", "kube-apiserver",
    "kube-controller-manager", "kube-scheduler", "dockerd", "kubelet", "kube-proxy", "traefik",
    "coredns", "pause", "model_harness",
}  # fmt: skip
"""Programs of which at least one process runs while the stack is up."""


def processes() -> dict[int, str]:
    """Return the command lines of all node processes and of the processes in Pods."""
    in_pods = {
        int(line)
        for folder in cgroups()
        for path, _, _ in os.walk(folder)
        for line in _read(Path(path, "cgroup.procs")).split()
    }
    commands = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid in in_pods or OWNER_VARIABLES.intersection(_environment(folder)):
            commands[pid] = _read(folder / "cmdline").replace(b"\0", b" ").decode()
    return commands


def _environment(process: Path) -> list[bytes]:
    return _read(process / "environ").split(b"\0")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # the process ended


def cgroups() -> list[Path]:
    """Return our folder in each hierarchy, for cgroup v1 and v2."""
    root = Path("/sys/fs/cgroup")
    return [path for path in (root / CGROUP, *root.glob(f"*/{CGROUP}")) if path.is_dir()]


def _build_cgroups() -> list[Path]:
    """Return the cgroups of our dockerd's builds, unless the machine runs another dockerd."""
    if Path("/var/run/docker.sock").exists():
        return []
    return list(Path("/sys/fs/cgroup").glob("*/docker/buildkit"))


def kill_all(seconds: float = 20.0) -> set[str]:
    """Send SIGKILL until no process is left; return the names of the killed programs."""
    killed: dict[int, str] = {}
    end = time.monotonic() + at_most(seconds)
    while living := processes():
        assert time.monotonic() < end, f"still running after SIGKILL: {living}"
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        killed = living | killed  # a process that is ending has no command line
        time.sleep(0.1)
    return {part for part in PARTS if any(part in command for command in killed.values())}


def leftovers() -> dict[str, list[str]]:
    """Return what a stopped stack has left on the machine, by kind."""
    ours = (f"{STATE}/", f"{RUN}/")
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    rules = "".join(
        subprocess.run([f"{tables}-save"], capture_output=True, text=True, check=True).stdout
        for tables in ("iptables", "ip6tables")
    )
    leftovers_by_kind = {
        "processes": list(processes().values()),
        "mounts": [mount for mount in mounts if mount.startswith(ours) or "/cni-" in mount],
        "interfaces": [
            link.name
            for link in Path("/sys/class/net").iterdir()
            if link.name == BRIDGE or link.name.startswith("veth")
        ],
        "rules": [line for line in rules.splitlines() if any(chain in line for chain in CHAINS)],
        "cgroups": [str(folder) for folder in (*cgroups(), *_build_cgroups())],
        "ports": [str(port) for port in PORTS if _open(port)],
        "folders": [str(RUN)] if RUN.exists() else [],
    }
    return {kind: items for kind, items in leftovers_by_kind.items() if items}


def _open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def memory_mib() -> float:
    """Return the memory of all processes in MiB; shared pages count once (PSS)."""
    total = 0
    for pid in processes():
        for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1])
    return total / 1024


def cores(seconds: float) -> float:
    """Return the number of cores that all processes use during the next seconds."""
    before, started = _ticks(), time.monotonic()
    time.sleep(seconds)
    after, waited = _ticks(), time.monotonic() - started
    used = sum(max(0, after[pid] - before.get(pid, 0)) for pid in after)
    return used / os.sysconf("SC_CLK_TCK") / waited


def _ticks() -> dict[int, int]:
    """Return the CPU time of each process and its ended children in clock ticks."""
    ticks = {}
    for pid in processes():
        if fields := _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split():
            ticks[pid] = sum(int(field) for field in fields[11:15])
    return ticks
