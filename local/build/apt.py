"""Debian packages of the node processes, the build and the tests."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from local.errors import SetupError
from local.progress import step
from local.shell import run

Packages = Mapping[str, tuple[str, ...]]
"""The programs or files that prove that a package is installed, by its name."""

PACKAGES: Packages = {
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

TEST_PACKAGES: Packages = {
    "r-base-core": ("Rscript",),
    "rabbitmq-server": ("/usr/lib/rabbitmq/bin/rabbitmq-server",),
    "chromium": ("chromium",),
    "ipset": ("ipset",),
}
"""Packages for tests that use R, RabbitMQ, a browser or IP sets outside of containers."""

SERVICES = {
    "etcd-server": ("etcd.service",),
    "containerd": ("containerd.service",),
    "docker.io": ("docker.socket", "docker.service"),
    "docker-registry": ("docker-registry.service",),
    "rabbitmq-server": ("rabbitmq-server.service",),
}
"""Services that the installation of a package enables; they would occupy our ports."""

_SYSTEMD = Path("/run/systemd/system")
_REMEDY = "check the network and /etc/apt/sources.list"


def missing(packages: Packages) -> list[str]:
    """Return the packages of which this machine lacks a program or file, whatever installed it."""
    return [
        package
        for package, expected_files in packages.items()
        if not all(map(_exists, expected_files))
    ]


def _exists(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None


def install(packages: Packages = PACKAGES) -> None:
    """Install the missing packages and disable their services."""
    names = missing(packages)
    if not names:
        return
    if not shutil.which("apt-get"):
        raise SetupError(
            f"programs of these Debian packages are missing, and there is no apt-get: {names}",
            "install them with the package manager of this machine and run the same command again",
        )
    environment = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"Debian packages: {' '.join(names)}") as report:

        def on_line(text: str) -> None:
            report(0, 0, text)

        # completes an earlier installation that was killed
        run(["dpkg", "--configure", "-a"], env=environment, on_line=on_line)
        run(["apt-get", "update"], env=environment, on_line=on_line, remedy=_REMEDY)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *names]
        run(command, env=environment, on_line=on_line, remedy=_REMEDY)
        services = [service for name in names for service in SERVICES.get(name, ())]
        if services and _SYSTEMD.is_dir():
            run(["systemctl", "disable", "--now", *services], on_line=on_line)
    if incomplete := missing(packages):
        programs = ", ".join(program for name in incomplete for program in packages[name])
        raise SetupError(
            f"apt-get installed {', '.join(incomplete)}, but not all of their programs",
            f"install {programs} and run the same command again",
        )
