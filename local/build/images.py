"""The images that the local registry serves under their names in public registries."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import versions
from local.build import go_tools, registry
from local.build.debian_root import DebianRoot, pip_settings, python_root, rabbitmq_root
from local.build.wheel_programs import wheel_program
from local.paths import Paths
from local.progress import step
from local.shell import run

DOCKER = "/usr/bin/docker"
"""Debian's client, which uses the BuildKit of the local dockerd."""

_PYTHON_DOCKERFILE = """\
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \\
    LANG=C.UTF-8 \\
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
"""

# PATH leaves out Debian's wrappers in /usr/sbin, which must run as root or as user rabbitmq
_RABBITMQ_DOCKERFILE = """\
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/bin:/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \\
    HOME=/var/lib/rabbitmq \\
    LANG=C.UTF-8
USER 65532:65532
CMD ["rabbitmq-server"]
"""


@dataclass(frozen=True)
class BaseImage:
    """One image: its name, the key of its content, and a function that writes a build context."""

    name: str
    key: str
    write_context: Callable[[Paths, Path], None]
    root: DebianRoot | None = None


def _write_static_context(folder: Path, binary: Path, user: str = "65532:65532") -> None:
    """Write the build context of an image that contains one static program."""
    shutil.copy2(binary, folder / binary.name)
    (folder / binary.name).chmod(0o755)
    (folder / "Dockerfile").write_text(
        f"FROM scratch\nCOPY {binary.name} /{binary.name}\n"
        f'USER {user}\nENTRYPOINT ["/{binary.name}"]\n'
    )


def _pause(paths: Paths, folder: Path) -> None:
    source = go_tools.module_folder(paths, "k8s.io/kubernetes", versions.KUBERNETES)
    version = versions.PAUSE_IMAGE.partition(":")[2]
    with tempfile.TemporaryDirectory() as temporary:
        binary = Path(temporary) / "pause"
        flags: list[str | Path] = ["-Os", "-static", f"-DVERSION=v{version}", "-o", binary]
        run(["gcc", *flags, source / "build/pause/linux/pause.c"])
        _write_static_context(folder, binary, "65535:65535")


def _traefik(paths: Paths, folder: Path) -> None:
    _write_static_context(folder, wheel_program(paths, "traefik", "traefik"))


def _metrics_server(paths: Paths, folder: Path) -> None:
    _write_static_context(folder, go_tools.METRICS_SERVER.folder(paths) / "metrics-server")


def _coredns(paths: Paths, folder: Path) -> None:
    _write_static_context(folder, go_tools.COREDNS.folder(paths) / "coredns")


def _debian_image(name: str, root: DebianRoot, dockerfile: str) -> BaseImage:
    def write_context(paths: Paths, folder: Path) -> None:
        os.link(root.archive(paths), folder / "rootfs.tar")
        (folder / "Dockerfile").write_text(dockerfile)

    key = hashlib.sha256((root.key + dockerfile).encode()).hexdigest()
    return BaseImage(f"library/{name}", key, write_context, root)


IMAGES = (
    BaseImage(versions.PAUSE_IMAGE, versions.KUBERNETES, _pause),
    BaseImage(
        f"metrics-server/metrics-server:{versions.METRICS_SERVER}",
        go_tools.METRICS_SERVER.key(),
        _metrics_server,
    ),
    BaseImage(f"coredns/coredns:{versions.COREDNS.lstrip('v')}", go_tools.COREDNS.key(), _coredns),
    BaseImage(f"library/traefik:{versions.TRAEFIK}", versions.TRAEFIK, _traefik),
    *(
        _debian_image(name, python_root(suite), _PYTHON_DOCKERFILE)
        for suite, name in versions.PYTHON_IMAGES.items()
    ),
    _debian_image(versions.RABBITMQ_IMAGE, rabbitmq_root(), _RABBITMQ_DOCKERFILE),
)


def docker_environment(paths: Paths) -> Mapping[str, str]:
    """Return the environment variables of a Docker client of the local dockerd."""
    return {"DOCKER_HOST": f"unix://{paths.docker_socket}", "DOCKER_BUILDKIT": "1"}


def check_settings(paths: Paths) -> None:
    """Raise SetupError for settings of this machine that an image must not get.

    An image that is built has its settings.
    """
    roots = [image.root for image in IMAGES if image.root is not None]
    if any(not root.archive(paths).exists() for root in roots):
        pip_settings()


def download(paths: Paths) -> None:
    """Download the parts of the images; this does not need the cluster."""
    wheel_program(paths, "traefik", "traefik")
    for image in IMAGES:
        if image.root is not None:
            with step(f"Debian packages of {image.name}") as report:
                image.root.build(paths, report)


def push_all(paths: Paths) -> None:
    """Build and push each image that the registry lacks or has with another content."""
    for image in IMAGES:
        marker = paths.state / "images" / image.name.replace("/", "_")
        is_current = marker.exists() and marker.read_text() == image.key
        if is_current and registry.has_image(image.name):
            continue
        marker.parent.mkdir(parents=True, exist_ok=True)
        (paths.cache / "images").mkdir(parents=True, exist_ok=True)
        target = f"{registry.REGISTRY}/{image.name}"
        with (
            step(f"image {image.name}") as report,
            tempfile.TemporaryDirectory(dir=paths.cache / "images") as context,
        ):
            if image.root is not None:
                image.root.build(paths, report)
            image.write_context(paths, Path(context))
            docker = docker_environment(paths)
            run([DOCKER, "build", "--network", "host", "-t", target, context], env=docker)
            run([DOCKER, "push", target], env=docker)
        marker.write_text(image.key)
