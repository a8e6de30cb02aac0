"""Virtual environments of the peers, created in the user's cache when first needed."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.build.debian_root import python_root
from local.paths import Paths

_ROOT = Path(__file__).resolve().parents[2]
_SIMULATED = "Inst "
_IN_ROOT = """\
set -eu
root="$1" project="$2" folder="$3"
shift 3
for path in /dev /proc "$project"; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
done
exec chroot "$root" env -C "$folder" "$@"
"""


def python(name: str, requirements: Sequence[str]) -> Path:
    """Return the `bin` folder of a virtual environment with exactly these packages."""
    folder = Paths.of_user().cache / f"bench-{name}"
    complete = folder / "complete"
    recipe = "\n".join([sys.version, *requirements])
    if not complete.exists() or complete.read_text(encoding="utf-8") != recipe:
        print(f"... {', '.join(requirements)} into a virtual environment", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *requirements], check=True)
        complete.write_text(recipe, encoding="utf-8")
    return folder / "bin"


def python_of_suite(suite: str, requirements: Sequence[Path], folder: Path) -> list[str]:
    """Return the command that runs the Python of that Debian suite in `folder` of the project.

    It is the Python of the local base image, whose root file system is unpacked into the cache;
    a separate mount namespace binds the project into it. Requires root.
    """
    paths = Paths.of_user()
    archive = python_root(suite).archive(paths)
    root = paths.cache / f"bench-python-{suite}"
    inside = ["unshare", "--mount", "sh", "-c", _IN_ROOT, "sh", str(root), str(_ROOT)]
    python = "/opt/venv/bin/python"
    complete = root / "complete"
    if not complete.exists():
        if not archive.exists():
            raise SystemExit(f"{archive} is missing; run `make up` once, which makes it")
        print(f"... the Python of {suite} into {root}", file=sys.stderr)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        subprocess.run(["tar", "-C", root, "-xf", archive], check=True)
        shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
        subprocess.run([*inside, "/", "python3", "-m", "venv", "/opt/venv"], check=True)
        pip_options = [option for path in requirements for option in ("--requirement", str(path))]
        pip = [*inside, "/", python, "-m", "pip", "install", "--quiet"]
        subprocess.run(
            [*pip, "--require-hashes", "--only-binary", ":all:", *pip_options], check=True
        )
        complete.touch()
    return [*inside, str(folder), python]


def debian(name: str, packages: Sequence[str], missing_from: str) -> Path:
    """Return a folder with the unpacked Debian packages and their missing dependencies.

    They are not installed, so that the harness cannot depend on them. `missing_from` is a path in
    the folder that exists once they are unpacked.
    """
    folder = Paths.of_user().cache / f"bench-{name}"
    if not (folder / missing_from).exists():
        print(f"... {', '.join(packages)} of Debian into {folder}", file=sys.stderr)
        archives = folder / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        install = ["apt-get", "install", "--simulate", "--no-install-recommends", *packages]
        simulation = subprocess.run(install, capture_output=True, text=True, check=True).stdout
        names = [line.split()[1] for line in simulation.splitlines() if line.startswith(_SIMULATED)]
        download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names]
        subprocess.run(download, cwd=archives, check=True)
        for archive in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
        shutil.rmtree(archives)
    return folder
