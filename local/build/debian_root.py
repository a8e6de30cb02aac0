"""Root file systems of Debian packages: the layers of the Python and RabbitMQ images."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local import mounts, versions
from local.errors import SetupError
from local.paths import Paths
from local.progress import ReportProgress
from local.shell import run

_PYTHON_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,libgomp1,libstdc++6,tzdata"
"""The packages that the official slim Python image has in addition to the base system."""
_RABBITMQ_PACKAGES = "rabbitmq-server,tzdata"

_RABBITMQ_SERVER = """\
#!/bin/sh
set -eu
data="$HOME/mnesia"
flags="$data/$RABBITMQ_NODENAME-feature_flags"
if [ -e "$flags" ] && ! grep -q message_containers "$flags"; then
  rm -rf "$data-before-4"
  mv "$data" "$data-before-4"
  echo "broker data set aside: RabbitMQ 4 cannot read it, moved to $data-before-4"
fi
exec /usr/lib/rabbitmq/bin/rabbitmq-server "$@"
"""
"""Move the data of RabbitMQ 3.10, which earlier images contained, out of the way.

RabbitMQ 4 can upgrade from 3.13 only, which Debian does not have.
"""

_PRUNED_FOLDERS = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/log",
)

_DEBIAN_URL = re.compile(r"/debian/?$")


@dataclass(frozen=True)
class DebianRoot:
    """A root file system. Its archive is kept in the cache, because debootstrap takes minutes."""

    suite: str
    packages: str
    adjust: Callable[[Path], None]

    @property
    def key(self) -> str:
        """A hash of the suite, the packages and this module, whose functions adjust the files."""
        module = Path(__file__).read_text()
        return hashlib.sha256(f"{self.suite} {self.packages} {module}".encode()).hexdigest()

    def archive(self, paths: Paths) -> Path:
        """Return the path of the archive, which `build` writes."""
        return paths.cache / "images" / f"{self.key[:12]}.tar"

    def build(self, paths: Paths, report: ReportProgress) -> None:
        """Write the archive unless it exists."""
        archive = self.archive(paths)
        if archive.exists():
            return
        archive.parent.mkdir(parents=True, exist_ok=True)
        # not below /tmp, which may be small or mounted with nodev
        root = archive.with_suffix(".root")
        _remove(root)
        command = ["debootstrap", "--variant=minbase", f"--include={self.packages}"]
        run(
            [*command, self.suite, root, *_apt_mirror()],
            on_line=lambda line: report(0, 0, line),
            remedy="check the network and the mirror in /etc/apt",
        )
        self.adjust(root)
        for folder in _PRUNED_FOLDERS:
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir()
        partial = archive.with_suffix(".partial")
        excluded = ["--exclude=./dev/*", "--exclude=./proc/*"]
        run(["tar", "-C", root, "-cf", partial, *excluded, "."])
        partial.rename(archive)
        _remove(root)


def python_root(suite: str) -> DebianRoot:
    """Return the root file system with the Python of this Debian suite."""
    return DebianRoot(suite, _PYTHON_PACKAGES, _adjust_python)


def rabbitmq_root() -> DebianRoot:
    """Return the root file system with RabbitMQ."""
    return DebianRoot(versions.RABBITMQ_SUITE, _RABBITMQ_PACKAGES, _adjust_rabbitmq)


def mirrors(sources: str) -> list[str]:
    """Return the Debian mirrors in the text of apt's sources, without those of security updates."""
    lines = [line for line in sources.splitlines() if not line.lstrip().startswith("#")]
    fields = [field for line in lines for field in line.split()]
    return [field for field in fields if field.startswith("http") and _DEBIAN_URL.search(field)]


def _apt_mirror() -> list[str]:
    """Return the mirror of this machine's apt as arguments of debootstrap."""
    sources = [path for path in Path("/etc/apt").rglob("*") if path.suffix in (".list", ".sources")]
    return mirrors("\n".join(path.read_text() for path in sorted(sources)))[:1]


def _remove(root: Path) -> None:
    # a killed debootstrap leaves /proc mounted in its folder
    mounts.unmount(root)
    shutil.rmtree(root, ignore_errors=True)


def _adjust_python(root: Path) -> None:
    """Install the commands of the official image and this machine's package index for pip."""
    commands = root / "usr/local/bin"
    [release] = (path.name for path in root.glob("usr/bin/python3.[0-9][0-9]"))
    links = {"python": "python3", "python3": "python3", release: release, "pip": "pip3"}
    for name, target in links.items():
        (commands / name).symlink_to(f"/usr/bin/{target}")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    bundle = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        # the machine's bundle includes the certificate of an intercepting proxy
        shutil.copyfile(bundle, root / "etc/ssl/certs/ca-certificates.crt")
    lines = [
        "[global]",
        "cert = /etc/ssl/certs/ca-certificates.crt",
        "disable-pip-version-check = true",
    ]
    lines += [f"{setting} = {value}" for setting, value in pip_settings().items()]
    (root / "etc/pip.conf").write_text("\n".join(lines) + "\n")


def pip_settings() -> dict[str, str]:
    """Return this machine's package index, which the images get.

    Raises SetupError for an address with a password or token: every image would contain it.
    """
    settings: dict[str, str] = {}
    for setting in ("index-url", "extra-index-url", "trusted-host"):
        variable = f"PIP_{setting.replace('-', '_').upper()}"
        value = os.environ.get(variable)
        if not value:
            continue
        for address in value.split():
            _, has_credentials, host = urlsplit(address).netloc.rpartition("@")
            if has_credentials:
                raise SetupError(
                    f"{variable} has credentials for {host}, and each image would contain them",
                    "set an address without user and password, such as that of a mirror or proxy",
                )
        settings[setting] = value
    return settings


def _adjust_rabbitmq(root: Path) -> None:
    server = root / "usr/local/bin/rabbitmq-server"
    server.write_text(_RABBITMQ_SERVER)
    server.chmod(0o755)
