"""Makes the virtual environment that everything else runs in, then runs a module of it.

    python3 local/bootstrap.py PROGRAM-OR-MODULE [ARGUMENT ...]

Needs nothing but Python's standard library. The environment lies in the user's cache, keyed by the
lock file, so that every clone with the same lock shares it.
"""

from __future__ import annotations

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
MINIMUM = (3, 11)
TAIL_LINES = 15
#: How often the installation says how far it is, in seconds.
INTERVAL = 10.0


def say(text: str) -> None:
    """Print beside the output, which may be read by a program (make env)."""
    print(text, file=sys.stderr, flush=True)


def fail(found: str, do: str) -> NoReturn:
    """End with two lines instead of a traceback."""
    sys.exit(f"{found}\n  -> {do}")


def environment() -> Path:
    """Return the environment's folder, made complete if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-deployment"
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache / f"venv-{key}"
    if _whole(venv):
        return venv
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"venv-{key}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another make installs the Python packages; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not _whole(venv):
            _make(venv)
    return venv


def _whole(venv: Path) -> bool:
    # the Python that it was made from may be gone
    return (venv / "complete").exists() and (venv / "bin/python").exists()


def _make(venv: Path) -> None:
    say("... Python packages of requirements-dev.txt")
    started = time.monotonic()
    shutil.rmtree(venv, ignore_errors=True)
    made = _venv(venv)
    if made.returncode and os.geteuid() == 0 and shutil.which("apt-get"):
        say("    Debian keeps Python's venv in a package of its own: apt-get install python3-venv")
        for command in (["update"], ["install", "-y", "--no-install-recommends", "python3-venv"]):
            subprocess.run(["apt-get", "-q", *command], stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(venv, ignore_errors=True)
        made = _venv(venv)
    if made.returncode:
        found = f"python3 -m venv does not work here:\n{made.stdout}{made.stderr}"
        fail(found.rstrip(), "apt-get install python3-venv (and look whether the disk is full)")
    _install(venv)
    (venv / "complete").touch()
    say(f"ok  Python packages  [{time.monotonic() - started:.0f} s]")


def _venv(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "venv", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _install(venv: Path) -> None:
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]
    # the lock names everything; requirements-overrides.txt says why nothing is looked up again
    command = [*pip, "--no-input", "--no-deps", "--require-hashes", "-r", str(LOCK)]
    lines: list[str] = []
    spoken = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if time.monotonic() - spoken > INTERVAL:
                spoken = time.monotonic()
                say(f"    {line.strip()[:90]}")
    if process.returncode:
        last = "\n".join(lines[-TAIL_LINES:])
        fail(
            f"pip could not install requirements-dev.txt:\n{last}",
            "look at the network, at pip's configuration, and whether the disk is full",
        )


def main() -> None:
    """Replace this process by the wanted program or module of the environment."""
    if sys.version_info[:2] < MINIMUM:
        fail(
            f"Python {sys.version.split()[0]} runs this; 3.11 or newer is needed",
            "apt-get install python3.11 python3.11-venv",
        )
    try:
        programs = environment() / "bin"
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")
    except OSError as error:
        fail(f"the Python packages have no place: {error}", "make room, or set XDG_CACHE_HOME")
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = f"{ROOT}:{ROOT / 'harness/python'}:{ROOT / 'harness/r'}"
    os.environ.pop("VIRTUAL_ENV", None)
    name, *arguments = sys.argv[1:]
    program = programs / name
    if not program.exists():
        program, arguments = programs / "python", ["-m", name, *arguments]
    os.execv(program, [str(program), *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
