"""Start the one-node cluster and wait until it is ready."""

import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from local.build import go_tools, images, registry
from local.errors import SetupError
from local.node import (
    certificates,
    cgroups,
    config_files,
    network,
    process_commands,
    supervisord,
    teardown,
    volumes,
)
from local.paths import ROOT, Paths
from local.progress import print_line, step
from local.shell import run

MANIFESTS = ROOT / "local/manifests"
READY_SECONDS = 120
"""Time limit for each part of the cluster to become ready."""


def kubectl(paths: Paths, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as administrator of the local cluster; return its output."""
    binary = go_tools.KUBERNETES.folder(paths) / "kubectl"
    return run([binary, *arguments], env={"KUBECONFIG": str(paths.kubeconfig)}, stdin=stdin)


def start(paths: Paths) -> None:
    """Start the processes that do not run, fill the registry and wait until the node is ready."""
    _stop_outdated(paths)
    if not supervisord.states(paths):
        with step("start node processes"):
            _prepare(paths)
            supervisord.start(paths)
    supervisord.restart_failed(paths)
    _wait(paths, "Kubernetes API server", _kubectl_succeeds(paths, "get", "--raw", "/readyz"))
    _wait(paths, "Docker engine", _dockerd_is_ready(paths))
    _wait(paths, "image registry", registry.is_ready)
    images.push_all(paths)
    _wait(paths, "node", _node_is_ready(paths))
    with step("cluster DNS, metrics and volumes"):
        volumes.provision(paths, lambda arguments, stdin: kubectl(paths, *arguments, stdin=stdin))
        kubectl(paths, "apply", "--server-side", "-f", str(MANIFESTS))
        timeout = f"--timeout={READY_SECONDS}s"
        for name in ("coredns", "metrics-server"):
            kubectl(paths, "-n", "kube-system", "rollout", "status", f"deployment/{name}", timeout)


def _stop_outdated(paths: Paths) -> None:
    """Stop processes that were started from another configuration; the data is kept."""
    if not supervisord.states(paths):
        return
    fingerprint = _fingerprint_file(paths)
    if not fingerprint.exists() or fingerprint.read_text() != _fingerprint(paths):
        print_line("the configuration of the node changed: restarting its processes")
        teardown.stop(paths)
    elif certificates.expire_soon(paths):
        print_line("certificates expire soon: restarting the cluster with new ones")
        teardown.stop(paths)


def _fingerprint(paths: Paths) -> str:
    """Return a hash of the command lines and configuration files of the processes."""
    parts = [process_commands.commands(paths), config_files.all_files(paths, cgroups.CGROUP)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _fingerprint_file(paths: Paths) -> Path:
    return paths.run / "fingerprint"


def _prepare(paths: Paths) -> None:
    for folder in (paths.state, paths.logs, paths.run):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config_files.write_all(paths, cgroups.CGROUP)
    certificates.issue(paths)
    cgroups.prepare()
    network.set_up(paths)
    _fingerprint_file(paths).write_text(_fingerprint(paths))


def _wait(paths: Paths, component: str, is_ready: Callable[[], bool]) -> None:
    with step(component) as report:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            not_running = ", ".join(
                f"{name} {state}"
                for name, state in supervisord.states(paths).items()
                if state != "RUNNING"
            )
            report(0, 0, not_running)
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{component}: not ready after {READY_SECONDS} s "
                    f"({not_running or 'all processes run'})",
                    f"see the logs in {paths.logs}",
                )
            time.sleep(0.2)


def _kubectl_succeeds(paths: Paths, *arguments: str) -> Callable[[], bool]:
    binary = go_tools.KUBERNETES.folder(paths) / "kubectl"
    env = {**os.environ, "KUBECONFIG": str(paths.kubeconfig)}

    def is_ready() -> bool:
        result = subprocess.run(
            [binary, *arguments], env=env, capture_output=True, text=True, check=False
        )
        return result.returncode == 0 and "false" not in result.stdout.lower()

    return is_ready


def _node_is_ready(paths: Paths) -> Callable[[], bool]:
    is_registered = _kubectl_succeeds(
        paths, "wait", "node", network.NODE, "--for=condition=Ready", "--timeout=1s"
    )

    def is_ready() -> bool:
        # after a crash the API server has an old status of the node, so kubelet has to answer, too
        with socket.socket() as kubelet:
            return kubelet.connect_ex(("127.0.0.1", 10248)) == 0 and is_registered()

    return is_ready


def _dockerd_is_ready(paths: Paths) -> Callable[[], bool]:
    env = {**os.environ, **images.docker_environment(paths)}

    def is_ready() -> bool:
        result = subprocess.run([images.DOCKER, "info"], env=env, capture_output=True, check=False)
        return result.returncode == 0

    return is_ready
