"""Looks at the machine before anything is built; says in a sentence what stands in the way."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from local import supervise
from local.errors import GroundError
from local.paths import Paths
from local.progress import step
from local.shell import run

#: Debian package -> a program that it brings.
PACKAGES = {
    "etcd-server": "etcd",
    "containerd": "containerd",
    "runc": "runc",
    "docker.io": "dockerd",
    "docker-registry": "docker-registry",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "iproute2": "ip",
    "conntrack": "conntrack",
    "debootstrap": "debootstrap",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "git": "git",
    "curl": "curl",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
}

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

_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio")
_CGROUPS = Path("/sys/fs/cgroup")

#: Everything that runs in a pod is below this cgroup, so that nothing of it is missed at the end.
CGROUP = "/model-deployment"


def check(paths: Paths, *, built: bool) -> None:
    """Raise GroundError for the first thing on this machine that the local stack cannot work with."""
    if os.geteuid() != 0:
        raise GroundError(
            f"a Kubernetes node needs root; this is user {os.geteuid()}",
            "run as root (`sudo make up`), or use a cluster of yours: `make up CLUSTER=<context>`",
        )
    if "overlay" not in Path("/proc/filesystems").read_text():
        raise GroundError("the kernel knows no overlay file system", "modprobe overlay")
    _check_cgroups()
    free = shutil.disk_usage(_existing(paths.state)).free / 2**30
    needed = RUN_GIB if built else BUILD_GIB
    if free < needed:
        raise GroundError(
            f"{free:.1f} GiB are free below {paths.state}, {needed} are needed",
            "make room, or name other folders by XDG_STATE_HOME and XDG_CACHE_HOME",
        )
    if not supervise.states(paths) and not supervise.marked(paths):
        _check_ports()


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _check_cgroups() -> None:
    unified = (_CGROUPS / "cgroup.controllers").exists()
    missing = [] if unified else [name for name in _CONTROLLERS if not (_CGROUPS / name).is_dir()]
    if missing or not _CGROUPS.is_dir():
        raise GroundError(
            f"cgroup controllers are missing below {_CGROUPS}: {', '.join(missing) or 'all'}",
            "mount the cgroup hierarchy (systemd does; in a container: run it privileged)",
        )
    for folder in cgroup_folders():
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise GroundError(
                f"{folder} cannot be made: {error}", "give this machine write access to cgroups"
            ) from None


def cgroup_folders() -> list[Path]:
    """Our folder in each hierarchy: one with cgroup v2, one per controller with v1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS / CGROUP[1:]]
    return [
        path / CGROUP[1:]
        for path in sorted(_CGROUPS.iterdir())
        if (path / "cgroup.procs").exists() and path.name != "unified"
    ]


def _check_ports() -> None:
    for port, what in PORTS.items():
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise GroundError(
                    f"port {port} is taken, and {what} wants to listen there",
                    f"end that program (`ss -ltnp 'sport = :{port}'` names it)",
                )


def install_packages() -> None:
    """Install the Debian packages whose programs are missing."""
    # programs of Debian's sbin are not on every PATH
    where = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [
        package
        for package, proof in PACKAGES.items()
        if not (Path(proof).exists() if proof.startswith("/") else shutil.which(proof, path=where))
    ]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise GroundError(
            f"programs are missing, and there is no apt-get: {', '.join(missing)}", "install them"
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"Debian packages: {' '.join(missing)}") as report:
        run(["apt-get", "update"], env=quiet, hint="look at /etc/apt/sources.list and the network")
        install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        run(
            install,
            env=quiet,
            each_line=lambda line: report(0, 0, line),
            hint="see the lines above",
        )
