"""The parent cgroup of all Pods and image builds, by which teardown finds their processes."""

import os
import time
from pathlib import Path

from local.errors import SetupError

CGROUP = "/model-deployment"
ROOT = Path("/sys/fs/cgroup")

V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio")
V2_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
"""Controllers that kubelet and containerd use; with v1 each of them has a folder."""

RELEASE_SECONDS = 5.0
"""Time the kernel needs to release a cgroup after its last process ended."""


def _is_unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def folders() -> list[Path]:
    """Return our folder in each hierarchy: one with cgroup v2, one per controller with v1.

    If both are mounted, containerd also creates cgroups in v2 (`unified`).
    """
    if _is_unified():
        return [ROOT / CGROUP[1:]]
    return [
        path / CGROUP[1:]
        for path in (sorted(ROOT.iterdir()) if ROOT.is_dir() else [])
        if (path / "cgroup.procs").exists()
    ]


def prepare() -> None:
    """Create our folders; raise SetupError if a controller is missing or not writable."""
    if _is_unified():
        names = (ROOT / "cgroup.controllers").read_text().split()
        missing = [name for name in V2_CONTROLLERS if name not in names]
    else:
        missing = [name for name in V1_CONTROLLERS if not (ROOT / name).is_dir()]
    if missing:
        raise SetupError(
            f"cgroup controllers are missing below {ROOT}: {', '.join(missing)}",
            "mount the cgroup hierarchy (systemd does; in a container: run it privileged)",
        )
    try:
        for folder in folders():
            folder.mkdir(exist_ok=True)
        if _is_unified():
            _enable_controllers()
    except OSError as error:
        raise SetupError(
            f"cgroups below {ROOT} are not writable: {error}",
            "mount them writable (in a container: run it privileged, with --cgroupns=host)",
        ) from None


def _enable_controllers() -> None:
    """Enable the controllers for our folder.

    The kernel refuses this if the root cgroup itself contains processes.
    """
    control = ROOT / "cgroup.subtree_control"
    disabled = [name for name in V2_CONTROLLERS if name not in control.read_text().split()]
    if disabled:
        control.write_text(" ".join(f"+{name}" for name in disabled))


def processes() -> list[int]:
    """Return the ids of all processes in Pods and image builds."""
    pids: set[int] = set()
    for folder in folders():
        # not rglob, which fails if a container ends and its cgroup disappears meanwhile
        for path, _, _ in os.walk(folder):
            try:
                lines = Path(path, "cgroup.procs").read_text().split()
            except OSError:
                continue
            pids.update(int(line) for line in lines)
    return sorted(pids)


def remove() -> None:
    """Remove our folders, innermost first, after their processes have ended."""
    deadline = time.monotonic() + RELEASE_SECONDS
    for folder in folders():
        for path, _, _ in os.walk(folder, topdown=False):
            while not _try_remove(Path(path)):
                if time.monotonic() > deadline:
                    raise SetupError(
                        f"cannot remove the cgroup {path}: it is busy",
                        "reboot, or remove it with rmdir",
                    )
                time.sleep(0.1)


def _try_remove(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # the kernel still releases its last process
        return False
    return True
