"""The Debian packages that hold the ground's programs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from local.errors import GroundError
from local.progress import step
from local.shell import run

#: Debian package -> programs that it brings.
PACKAGES = {
    "etcd-server": ("etcd",),
    "containerd": ("containerd",),
    "runc": ("runc",),
    "docker.io": ("dockerd", "/usr/bin/docker"),
    "docker-registry": ("docker-registry",),
    "containernetworking-plugins": ("/usr/lib/cni/bridge",),
    "iptables": ("iptables",),
    "iproute2": ("ip",),
    "conntrack": ("conntrack",),
    "debootstrap": ("debootstrap",),
    "gcc": ("gcc",),
    "libc6-dev": ("/usr/include/stdio.h",),
    "git": ("git",),
    "curl": ("curl",),
    "ca-certificates": ("/etc/ssl/certs/ca-certificates.crt",),
}

#: What only the tests use: R and RabbitMQ outside of containers, a browser, sets of addresses.
TEST_PACKAGES = {
    "r-base-core": ("Rscript",),
    "rabbitmq-server": ("/usr/lib/rabbitmq/bin/rabbitmq-server",),
    "chromium": ("chromium",),
    "ipset": ("ipset",),
}

#: What a package enables where systemd runs; it would take our processes' ports.
SERVICES = {
    "etcd-server": ("etcd.service",),
    "containerd": ("containerd.service",),
    "docker.io": ("docker.socket", "docker.service"),
    "docker-registry": ("docker-registry.service",),
    "rabbitmq-server": ("rabbitmq-server.service",),
}

_SYSTEMD = Path("/run/systemd/system")
_HINT = "look at /etc/apt/sources.list and at the network"


Packages = Mapping[str, tuple[str, ...]]
"""Names of Debian packages, with the programs or files that show that each is there."""


def missing(packages: Packages) -> list[str]:
    """Those of which this machine lacks a program, wherever that came from."""
    return [package for package, proofs in packages.items() if not all(map(_is_there, proofs))]


def _is_there(proof: str) -> bool:
    return Path(proof).exists() if proof.startswith("/") else shutil.which(proof) is not None


def install(packages: Packages = PACKAGES) -> None:
    """Install what is missing; the services of what was installed here stay off."""
    wanted = missing(packages)
    if not wanted:
        return
    if not shutil.which("apt-get"):
        raise GroundError(
            f"programs of these Debian packages are missing, and there is no apt-get: {wanted}",
            "install them by this machine's own means, and run the same command again",
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"Debian packages: {' '.join(wanted)}") as report:

        def line(text: str) -> None:
            report(0, 0, text)

        # goes on from an earlier run that was killed in the middle of it
        run(["dpkg", "--configure", "-a"], env=quiet, each_line=line)
        run(["apt-get", "update"], env=quiet, each_line=line, hint=_HINT)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
        run(command, env=quiet, each_line=line, hint=_HINT)
        units = [unit for package in wanted for unit in SERVICES.get(package, ())]
        if units and _SYSTEMD.is_dir():
            run(["systemctl", "disable", "--now", *units], each_line=line)
    if still := missing(packages):
        raise GroundError(
            f"apt-get installed {', '.join(still)}, but not the programs that are wanted",
            f"look for {', '.join(name for package in still for name in packages[package])}",
        )
