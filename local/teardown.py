"""Takes the local stack down, also what a crash or a reboot left of it."""

from __future__ import annotations

import shutil

from local import cgroups, mounts, network, supervise
from local.errors import GroundError
from local.paths import Paths
from local.progress import step

#: How long containers may drain, in seconds.
DRAIN_SECONDS = 10.0


def stop(paths: Paths) -> None:
    """Stop every process, container, mount, bridge, rule and cgroup; what was built stays."""
    with step("containers and processes end"):
        supervise.stop(paths, "kubelet")  # else it starts anew what is ended here
        supervise.end(cgroups.processes, DRAIN_SECONDS)
        supervise.shut_down(paths)
    with step("mounts, bridge and rules go"):
        mounts.unmount(paths.state, paths.run, paths.cache)
        network.tear_down(paths)
        cgroups.remove()
        shutil.rmtree(paths.run, ignore_errors=True)


def delete(paths: Paths) -> None:
    """Remove everything that the local stack ever wrote below this user's folders."""
    stop(paths)
    with step(f"{paths.state} and {paths.cache} go"):
        for folder in (paths.state, paths.cache):
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                raise GroundError(f"{folder} could not be removed", "look at what is in it")
