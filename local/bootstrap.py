"""Install the development environment if necessary, then run a program or module in it.

    python3 local/bootstrap.py PROGRAM-OR-MODULE [ARGUMENT ...]

Uses the standard library only. The virtual environment is in the user's cache; its name contains a
hash of the lock file, so all clones with the same lock file share it.
"""

from __future__ import annotations  # an old Python must reach the check of its version

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-dev.txt"
MINIMUM_PYTHON = (3, 11)
TAIL_LINES = 15
PROGRESS_INTERVAL_SECONDS = 10.0


def print_progress(text: str) -> None:
    """Print to stderr: `make env` writes shell commands to stdout."""
    print(text, file=sys.stderr, flush=True)


def fail(problem: str, remedy: str) -> NoReturn:
    """Exit with a message instead of a traceback."""
    sys.exit(f"{problem}\n  -> {remedy}")


def environment() -> Path:
    """Return the folder of the virtual environment; create it if it is missing or incomplete."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-deployment"
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache / f"venv-{key}"
    if _is_complete(venv):
        return venv
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"venv-{key}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print_progress("waiting for another make command, which installs the Python packages")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_complete(venv):
            _create(venv)
    return venv


def _is_complete(venv: Path) -> bool:
    # the Python that created it may have been removed
    return (venv / "complete").exists() and (venv / "bin/python").exists()


def _create(venv: Path) -> None:
    print_progress("... Python packages of requirements-dev.txt")
    started = time.monotonic()
    shutil.rmtree(venv, ignore_errors=True)
    result = _venv(venv)
    if result.returncode and os.geteuid() == 0 and shutil.which("apt-get"):
        print_progress("    installing python3-venv, which Debian does not install with Python")
        for command in (["update"], ["install", "-y", "--no-install-recommends", "python3-venv"]):
            subprocess.run(["apt-get", "-q", *command], stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(venv, ignore_errors=True)
        result = _venv(venv)
    if result.returncode:
        problem = f"python3 -m venv failed:\n{result.stdout}{result.stderr}"
        fail(problem.rstrip(), "apt-get install python3-venv, and check the free disk space")
    _install(venv)
    (venv / "complete").touch()
    print_progress(f"ok  Python packages  [{time.monotonic() - started:.0f} s]")


def _venv(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "venv", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _install(venv: Path) -> None:
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]
    # --no-deps: the lock file deviates by requirements-overrides.txt; pip would refuse it.
    # --no-compile: most of the 20,000 modules are never imported; Python compiles the others.
    flags = ["--no-input", "--no-deps", "--no-compile", "--require-hashes"]
    command = [*pip, *flags, "-r", str(LOCK)]
    lines: list[str] = []
    last_print = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if time.monotonic() - last_print > PROGRESS_INTERVAL_SECONDS:
                last_print = time.monotonic()
                print_progress(f"    {line.strip()[:90]}")
    if process.returncode:
        output = "\n".join(lines[-TAIL_LINES:])
        fail(
            f"pip could not install requirements-dev.txt:\n{output}",
            "check the network, the configuration of pip and the free disk space",
        )


def main() -> None:
    """Replace this process by a program or module of the virtual environment."""
    if sys.version_info[:2] < MINIMUM_PYTHON:
        fail(
            f"this is Python {sys.version.split()[0]}; 3.11 or newer is required",
            "apt-get install python3.11 python3.11-venv",
        )
    try:
        programs = environment() / "bin"
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command continues from here")
    except OSError as error:
        fail(f"cannot write the Python packages: {error}", "free some space, or set XDG_CACHE_HOME")
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = f"{ROOT}:{ROOT / 'harness/python'}:{ROOT / 'harness/r'}"
    os.environ.pop("VIRTUAL_ENV", None)
    name, *arguments = sys.argv[1:]
    program = programs / name
    if not program.exists():
        program, arguments = programs / "python", ["-m", name, *arguments]
    os.execv(program, [str(program), *arguments])  # noqa: S606 - no shell is needed


if __name__ == "__main__":
    main()
