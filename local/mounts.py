"""Mount points below the folders of the local stack."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.errors import SetupError


def mounts_below(folders: Iterable[Path], table: str) -> list[str]:
    """Return the mount points below `folders` in a text like /proc/mounts, innermost first."""
    # the kernel writes spaces and tabs as octal escapes
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines()]
    prefixes = tuple(f"{folder}/" for folder in folders)
    return sorted((point for point in points if point.startswith(prefixes)), key=len, reverse=True)


def unmount(*folders: Path) -> None:
    """Unmount everything below `folders`; raise SetupError if a mount point is busy."""
    table = Path("/proc/mounts")
    for point in mounts_below(folders, table.read_text()):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    if mounted := mounts_below(folders, table.read_text()):
        raise SetupError(
            f"{mounted[0]} is still mounted ({len(mounted)} mount points in all)",
            "end the processes that use it and run the same command again, or reboot",
        )
