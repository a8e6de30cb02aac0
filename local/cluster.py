"""Brings the one-node cluster up and down."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from local import configs, ground, images, network, pki, supervise
from local.errors import GroundError
from local.paths import Paths
from local.progress import step
from local.shell import run
from local.tools import build

#: How long the whole ground may take to answer, in seconds.
READY_SECONDS = 120
#: How long containers may drain at `make down`, in seconds.
DRAIN_SECONDS = 10.0

_CERTIFICATE_HOSTS = (
    "127.0.0.1", network.NODE_ADDRESS, network.API_SERVICE, "localhost", network.NODE,
    "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
)  # fmt: skip


def kubectl(paths: Paths, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as the local cluster's administrator."""
    binary = build.KUBERNETES.folder(paths) / "kubectl"
    return run([binary, *arguments], env={"KUBECONFIG": str(paths.kubeconfig)}, stdin=stdin)


def _wait(paths: Paths, what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            states = ", ".join(f"{name} {state}" for name, state in supervise.states(paths).items())
            raise GroundError(
                f"{what} was not ready after {READY_SECONDS} s ({states})",
                f"look into {paths.logs}",
            )
        time.sleep(0.2)


def _answers(paths: Paths, *arguments: str) -> Callable[[], bool]:
    binary = build.KUBERNETES.folder(paths) / "kubectl"
    env = {**os.environ, "KUBECONFIG": str(paths.kubeconfig)}

    def ask() -> bool:
        done = subprocess.run(
            [binary, *arguments], env=env, capture_output=True, text=True, check=False
        )
        return done.returncode == 0 and "false" not in done.stdout.lower()

    return ask


def _node_ready(paths: Paths) -> Callable[[], bool]:
    registered = _answers(
        paths, "wait", "node", network.NODE, "--for=condition=Ready", "--timeout=1s"
    )

    def ask() -> bool:
        # after a crash the API server still holds the node's last word, so ask the kubelet as well
        with socket.socket() as kubelet:
            return kubelet.connect_ex(("127.0.0.1", 10248)) == 0 and registered()

    return ask


def running(paths: Paths) -> bool:
    """Whether every process of the ground runs and the cluster's node is ready."""
    states = supervise.states(paths)
    return bool(states) and set(states.values()) == {"RUNNING"} and _node_ready(paths)()


def _prepare(paths: Paths) -> None:
    for folder in (paths.state, paths.logs, paths.run):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pki.create(paths.pki, network.NODE, _CERTIFICATE_HOSTS)
    inside = f"https://{network.NODE_ADDRESS}:{network.API_PORT}"
    for user in ("controller-manager", "scheduler", "proxy", "kubelet"):
        pki.kubeconfig(paths.pki, user, inside, paths.pki / f"{user}.kubeconfig", "local")
    pki.kubeconfig(paths.pki, "admin", network.API_SERVER, paths.kubeconfig, network.NODE)
    configs.write_all(paths, ground.CGROUP)
    network.set_up(paths)


def start(paths: Paths) -> None:
    """Start what does not run, wait until the cluster works, and fill its registry."""
    if not supervise.states(paths):
        with step("processes of the ground"):
            _prepare(paths)
            supervise.start(paths)
    supervise.restart_failed(paths)
    with step("Kubernetes API server"):
        _wait(paths, "the API server", _answers(paths, "get", "--raw", "/readyz"))
    with step("image registry and Docker engine"):
        docker = {**os.environ, **images.docker_environment(paths)}
        _wait(paths, "dockerd", lambda: subprocess.run(
            [images.DOCKER, "info"], env=docker, capture_output=True, check=False).returncode == 0)  # fmt: skip
    images.push_all(paths)
    with step("node"):
        _wait(paths, "the node", _node_ready(paths))
    with step("cluster DNS"):
        kubectl(paths, "apply", "--server-side", "-f", str(Path(__file__).parent / "manifests"))
        kubectl(
            paths,
            "-n",
            "kube-system",
            "rollout",
            "status",
            "deployment/coredns",
            f"--timeout={READY_SECONDS}s",
        )


def _cgroup_processes() -> list[int]:
    found: set[int] = set()
    for folder in ground.cgroup_folders():
        for file in folder.rglob("cgroup.procs"):
            found.update(int(line) for line in file.read_text().split())
    return sorted(found)


def stop(paths: Paths) -> None:
    """Stop every process, container, mount, bridge, rule and cgroup of the stack; what was built stays."""
    with step("containers and processes"):
        supervise.stop(paths, "kubelet")  # else it starts anew what is ended here
        supervise.end(_cgroup_processes, DRAIN_SECONDS)
        supervise.shut_down(paths)
    with step("mounts, bridge, rules"):
        unmount(paths)
        network.tear_down(paths)
        for folder in ground.cgroup_folders():
            for below in sorted(folder.rglob("*/"), key=lambda path: -len(path.parts)):
                below.rmdir()
            if folder.exists():
                folder.rmdir()
        shutil.rmtree(paths.run, ignore_errors=True)


def unmount(paths: Paths) -> None:
    """Unmount everything below our folders, the innermost first."""
    mounts = [
        line.split()[1].encode().decode("unicode_escape")
        for line in Path("/proc/mounts").read_text().splitlines()
    ]
    ours = [mount for mount in mounts if mount.startswith((f"{paths.state}/", f"{paths.run}/"))]
    for mount in sorted(ours, key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)


def delete(paths: Paths) -> None:
    """Remove everything that the local stack ever wrote on this machine."""
    stop(paths)
    with step(f"{paths.state} and {paths.cache}"):
        shutil.rmtree(paths.state, ignore_errors=True)
        shutil.rmtree(paths.cache, ignore_errors=True)
