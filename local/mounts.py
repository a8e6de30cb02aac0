"""What is mounted below the folders of the local stack."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.errors import GroundError


def below(folders: Iterable[Path], table: str) -> list[str]:
    """The mount points below ``folders`` in a text like /proc/mounts, the innermost first."""
    # the kernel writes blanks and the like in octal
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines()]
    starts = tuple(f"{folder}/" for folder in folders)
    return sorted((point for point in points if point.startswith(starts)), key=len, reverse=True)


def unmount(*folders: Path) -> None:
    """Unmount all below ``folders``. Raises GroundError where something stays mounted."""
    table = Path("/proc/mounts")
    for point in below(folders, table.read_text()):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    if left := below(folders, table.read_text()):
        raise GroundError(
            f"still mounted: {left[0]} ({len(left)} in all)",
            "end what uses them and run the same command again, or reboot",
        )
