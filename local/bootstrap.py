"""Makes the virtual environment that everything else runs in, then runs a module of it.

    python3 local/bootstrap.py PROGRAM-OR-MODULE [ARGUMENT ...]

Needs nothing but Python's standard library. The environment lies in the user's cache, keyed by the
lock file, so that every clone with the same lock shares it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-dev.txt"
TAIL_LINES = 15


def fail(found: str, do: str) -> None:
    """End with two lines instead of a traceback."""
    sys.exit(f"{found}\n  -> {do}")


def environment() -> Path:
    """Return the environment's folder, made complete if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-deployment"
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache / f"venv-{key}"
    if (venv / "complete").exists():
        return venv
    print("... Python packages of requirements-dev.txt", file=sys.stderr, flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    venv_command = [sys.executable, "-m", "venv", venv]
    made = subprocess.run(venv_command, capture_output=True, text=True, check=False)
    if made.returncode:
        fail(
            "python3 -m venv does not work here:\n" + made.stdout + made.stderr,
            "apt-get install python3-venv",
        )
    pip = [venv / "bin/python", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    packages = [*pip, "--require-hashes", "-r", LOCK]
    done = subprocess.run(
        packages, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        fail(
            f"pip could not install requirements-dev.txt:\n{last}",
            "look at the network or at pip's configuration",
        )
    (venv / "complete").touch()
    print("ok  Python packages", file=sys.stderr, flush=True)
    return venv


def main() -> None:
    """Replace this process by the wanted program or module, run by the environment's Python from the project's root."""
    if sys.version_info < (3, 11):
        fail(
            f"Python {sys.version.split()[0]} runs this; 3.11 or newer is needed",
            "apt-get install python3.11 python3.11-venv",
        )
    programs = environment() / "bin"
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = f"{ROOT}:{ROOT / 'harness/python'}"
    os.environ.pop("VIRTUAL_ENV", None)
    name, *arguments = sys.argv[1:]
    program = programs / name
    if not program.exists():
        program, arguments = programs / "python", ["-m", name, *arguments]
    os.execv(program, [str(program), *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
