"""Write a folder atomically: into a temporary sibling that is then renamed.

Neither a killed run nor a concurrent one leaves an incomplete folder to build from.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def write_atomically(
    target: Path, is_whole: Callable[[Path], bool], write: Callable[[Path], None]
) -> None:
    """Fill an empty folder by `write` and rename it to `target`, unless `target` `is_whole`.

    Raises OSError and what `write` raises; `target` is then unchanged.
    """
    if is_whole(target):
        return
    target.parent.mkdir(exist_ok=True)
    with _temporary_sibling(target.parent) as fresh:
        write(fresh)
        _replace(target, fresh, is_whole)


def _replace(target: Path, fresh: Path, is_whole: Callable[[Path], bool]) -> None:
    """Rename `fresh` to `target`; a folder that a concurrent run renamed first is equivalent."""
    if target.exists():
        os.rename(target, fresh.with_name(fresh.name + "-old"))
    try:
        os.rename(fresh, target)
    except OSError:
        if not is_whole(target):
            raise


@contextlib.contextmanager
def _temporary_sibling(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder on the target's disk; remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        yield path
    finally:
        for leftover in (path, path.with_name(path.name + "-old")):
            shutil.rmtree(leftover, ignore_errors=True)
