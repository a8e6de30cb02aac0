"""Brings the one-node cluster up."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from local import (
    cgroups,
    configs,
    images,
    network,
    pki,
    programs,
    supervise,
    teardown,
    volumes,
)
from local.errors import GroundError
from local.paths import Paths
from local.progress import say, step
from local.shell import run
from local.tools import build

#: How long the whole ground may take to answer, in seconds.
READY_SECONDS = 120

_CERTIFICATE_HOSTS = (
    "127.0.0.1",
    network.NODE_ADDRESS,
    network.API_SERVICE,
    "localhost",
    network.NODE,
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


def kubectl(paths: Paths, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as the local cluster's administrator."""
    binary = build.KUBERNETES.folder(paths) / "kubectl"
    return run([binary, *arguments], env={"KUBECONFIG": str(paths.kubeconfig)}, stdin=stdin)


def _wait(paths: Paths, what: str, ready: Callable[[], bool]) -> None:
    with step(what) as report:
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            restless = {
                name: state for name, state in supervise.states(paths).items() if state != "RUNNING"
            }
            found = ", ".join(f"{name} {state}" for name, state in restless.items())
            report(0, 0, found)
            if time.monotonic() > deadline:
                raise GroundError(
                    f"{what}: not ready after {READY_SECONDS} s ({found or 'all processes run'})",
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


def _recipe(paths: Paths) -> str:
    """Changes with whatever the processes were started from."""
    parts = [programs.commands(paths), configs.all_files(paths, cgroups.CGROUP)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _started_from(paths: Paths) -> Path:
    return paths.run / "recipe"


def _stop_outdated(paths: Paths) -> None:
    """Stop a ground that was started from something else; its models come back with the new one."""
    mark = _started_from(paths)
    if supervise.states(paths) and (not mark.exists() or mark.read_text() != _recipe(paths)):
        say("the processes of the ground changed: they are started anew")
        teardown.stop(paths)


def _prepare(paths: Paths) -> None:
    for folder in (paths.state, paths.logs, paths.run):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pki.create(paths.pki, network.NODE, _CERTIFICATE_HOSTS)
    inside = f"https://{network.NODE_ADDRESS}:{network.API_PORT}"
    for user in ("controller-manager", "scheduler", "proxy", "kubelet"):
        pki.kubeconfig(paths.pki, user, inside, paths.pki / f"{user}.kubeconfig", "local")
    pki.kubeconfig(paths.pki, "admin", network.API_SERVER, paths.kubeconfig, network.NODE)
    configs.write_all(paths, cgroups.CGROUP)
    cgroups.prepare()
    network.set_up(paths)
    _started_from(paths).write_text(_recipe(paths))


def _dockerd_ready(paths: Paths) -> Callable[[], bool]:
    env = {**os.environ, **images.docker_environment(paths)}

    def ask() -> bool:
        done = subprocess.run([images.DOCKER, "info"], env=env, capture_output=True, check=False)
        return done.returncode == 0

    return ask


def start(paths: Paths) -> None:
    """Start what does not run, wait until the cluster works, and fill its registry."""
    _stop_outdated(paths)
    if not supervise.states(paths):
        with step("processes of the ground"):
            _prepare(paths)
            supervise.start(paths)
    supervise.restart_failed(paths)
    _wait(paths, "Kubernetes API server", _answers(paths, "get", "--raw", "/readyz"))
    _wait(paths, "Docker engine", _dockerd_ready(paths))
    _wait(paths, "image registry", images.registry_answers)
    images.push_all(paths)
    _wait(paths, "node", _node_ready(paths))
    with step("cluster DNS, metrics and volumes"):
        volumes.offer(paths, lambda arguments, stdin: kubectl(paths, *arguments, stdin=stdin))
        kubectl(paths, "apply", "--server-side", "-f", str(Path(__file__).parent / "manifests"))
        timeout = f"--timeout={READY_SECONDS}s"
        for name in ("coredns", "metrics-server"):
            kubectl(paths, "-n", "kube-system", "rollout", "status", f"deployment/{name}", timeout)
