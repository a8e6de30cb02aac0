"""Stop the local cluster and remove its traces, also after a crash or a reboot."""

import shutil

from local import mounts
from local.errors import SetupError
from local.node import cgroups, network, supervisord
from local.paths import Paths
from local.progress import step

DRAIN_SECONDS = 10.0
"""Time between SIGTERM and SIGKILL of processes in containers."""


def stop(paths: Paths) -> None:
    """Stop all processes and remove mounts, bridge, iptables rules and cgroups; keep the data."""
    with step("stop containers and processes"):
        supervisord.stop(paths, "kubelet")  # else it restarts the containers
        supervisord.terminate(cgroups.processes, DRAIN_SECONDS)
        supervisord.shut_down(paths)
    with step("remove mounts, bridge and iptables rules"):
        mounts.unmount(paths.state, paths.run, paths.cache)
        network.tear_down(paths)
        cgroups.remove()
        shutil.rmtree(paths.run, ignore_errors=True)


def delete(paths: Paths) -> None:
    """Stop the cluster and delete its data and everything that was built."""
    stop(paths)
    with step(f"delete {paths.state} and {paths.cache}"):
        for folder in (paths.state, paths.cache):
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                raise SetupError(f"cannot delete {folder}", "delete it with rm -r")
