"""The cgroup that everything in pods lives below, so that nothing of it is missed at the end."""

from __future__ import annotations

import os
import time
from pathlib import Path

from local.errors import GroundError

CGROUP = "/model-deployment"
ROOT = Path("/sys/fs/cgroup")

#: What kubelet and containerd use of cgroup v1, a folder each, and of v2, by name.
V1 = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio")
V2 = ("cpu", "cpuset", "memory", "pids")

#: How long the kernel may take to let go of a cgroup whose last process ended, in seconds.
EMPTY_SECONDS = 5.0


def _unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def folders() -> list[Path]:
    """Our folder in each hierarchy: one with cgroup v2, one per controller with v1.

    Where both are mounted, containerd also uses the one of v2 (`unified`) for its bookkeeping.
    """
    if _unified():
        return [ROOT / CGROUP[1:]]
    return [
        path / CGROUP[1:]
        for path in (sorted(ROOT.iterdir()) if ROOT.is_dir() else [])
        if (path / "cgroup.procs").exists()
    ]


def prepare() -> None:
    """Make our folders. Raises GroundError where a controller is missing or out of reach."""
    if _unified():
        names = (ROOT / "cgroup.controllers").read_text().split()
        missing = [name for name in V2 if name not in names]
    else:
        missing = [name for name in V1 if not (ROOT / name).is_dir()]
    if missing:
        raise GroundError(
            f"cgroup controllers are missing below {ROOT}: {', '.join(missing)}",
            "mount the cgroup hierarchy (systemd does; in a container: run it privileged)",
        )
    try:
        for folder in folders():
            folder.mkdir(exist_ok=True)
        if _unified():
            _hand_down()
    except OSError as error:
        raise GroundError(
            f"cgroups below {ROOT} cannot be used: {error}",
            "mount them writable (in a container: run it privileged, with --cgroupns=host)",
        ) from None


def _hand_down() -> None:
    """Let our folder have the controllers; only a root without processes of its own may do that."""
    control = ROOT / "cgroup.subtree_control"
    absent = [name for name in V2 if name not in control.read_text().split()]
    if absent:
        control.write_text(" ".join(f"+{name}" for name in absent))


def processes() -> list[int]:
    """Everything that runs in pods."""
    found: set[int] = set()
    for folder in folders():
        # not rglob: containers end, and their cgroups vanish, while this walks
        for path, _, _ in os.walk(folder):
            try:
                lines = Path(path, "cgroup.procs").read_text().split()
            except OSError:
                continue
            found.update(int(line) for line in lines)
    return sorted(found)


def remove() -> None:
    """Remove our folders, the innermost first; their processes have ended."""
    deadline = time.monotonic() + EMPTY_SECONDS
    for folder in folders():
        for path, _, _ in os.walk(folder, topdown=False):
            while not _removed(Path(path)):
                if time.monotonic() > deadline:
                    raise GroundError(f"the cgroup {path} does not go", "reboot, or rmdir it")
                time.sleep(0.1)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # its last process is not quite gone
        return False
    return True
