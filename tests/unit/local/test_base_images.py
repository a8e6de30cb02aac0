"""The base images, and how the local RabbitMQ handles old data."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from components.languages import PYTHON, PYTHON_RUNTIMES, R
from local import versions
from local.build import debian_root, images
from local.errors import SetupError
from local.paths import ROOT, Paths

NODE = "rabbit@message-broker-0.message-broker-nodes"
FLAGS_OF_3_10 = "[classic_mirrored_queue_version,quorum_queue,stream_queue]."
FLAGS_OF_4_0 = "[message_containers,quorum_queue,'rabbitmq_4.0.0']."


def default_base_image(folder: str) -> str:
    text = (ROOT / folder / "Dockerfile").read_text()
    [name] = re.findall(r"^ARG BASE=(.+)$", text, re.MULTILINE)
    return str(name)


def test_every_base_image_of_a_harness_is_built_locally() -> None:
    bases = {
        runtime.base or default_base_image(PYTHON.folder) for runtime in PYTHON_RUNTIMES.values()
    }
    bases.add(default_base_image(R.folder))
    assert bases == set(versions.PYTHON_IMAGES.values())
    assert {f"library/{base}" for base in bases} < {image.name for image in images.IMAGES}


def test_python_runtime_is_built_on_its_release() -> None:
    bases = {
        release: runtime.base or default_base_image(PYTHON.folder)
        for release, runtime in PYTHON_RUNTIMES.items()
    }
    assert all(base.startswith(f"python:{release}-") for release, base in bases.items())


@pytest.mark.parametrize("release", ["3.11", "3.13"])
def test_python_image_has_links_to_its_release(tmp_path: Path, release: str) -> None:
    for folder in ("usr/bin", "usr/local/bin", "etc/ssl/certs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / f"usr/bin/python{release}").touch()
    debian_root._adjust_python(tmp_path)
    links = {path.name: os.readlink(path) for path in (tmp_path / "usr/local/bin").iterdir()}
    assert links == {
        "python": "/usr/bin/python3",
        "python3": "/usr/bin/python3",
        f"python{release}": f"/usr/bin/python{release}",
        "pip": "/usr/bin/pip3",
    }


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without settings of pip; a test sets some."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_images_get_the_package_index_of_the_machine(index: pytest.MonkeyPatch) -> None:
    assert debian_root.pip_settings() == {}
    index.setenv("PIP_INDEX_URL", "https://packages.example.com/simple")
    index.setenv("PIP_TRUSTED_HOST", "packages.example.com:8080")
    assert debian_root.pip_settings() == {
        "index-url": "https://packages.example.com/simple",
        "trusted-host": "packages.example.com:8080",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_INDEX_URL", "https://me:hunter2@packages.example.com/simple"),
        ("PIP_INDEX_URL", "https://hunter2@packages.example.com/simple"),
        ("PIP_EXTRA_INDEX_URL", "https://a.example.com https://x:hunter2@packages.example.com"),
    ],
)
def test_package_index_with_password_is_refused_before_the_build(
    index: pytest.MonkeyPatch, paths: Paths, name: str, value: str
) -> None:
    index.setenv(name, value)
    with pytest.raises(SetupError) as caught:
        images.check_settings(paths)
    assert str(caught.value).startswith(
        f"{name} has credentials for packages.example.com, and each image would contain them\n"
    )
    assert "hunter2" not in str(caught.value)


def test_settings_are_not_checked_once_images_are_built(
    index: pytest.MonkeyPatch, paths: Paths
) -> None:
    index.setenv("PIP_INDEX_URL", "https://me:hunter2@packages.example.com/simple")
    for image in images.IMAGES:
        if image.root is not None:
            image.root.archive(paths).parent.mkdir(parents=True, exist_ok=True)
            image.root.archive(paths).touch()
    images.check_settings(paths)


@pytest.mark.parametrize(
    ("flags", "is_kept"), [(FLAGS_OF_3_10, False), (FLAGS_OF_4_0, True), (None, True)]
)
def test_local_rabbitmq_moves_only_unreadable_data(
    tmp_path: Path, flags: str | None, is_kept: bool
) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    (root / "usr/local/bin").mkdir(parents=True)
    debian_root._adjust_rabbitmq(root)
    script = root / "usr/local/bin/rabbitmq-server"
    text = script.read_text()
    assert "exec /usr/lib/rabbitmq/bin/rabbitmq-server" in text
    script.write_text(text.replace("/usr/lib/rabbitmq/bin/rabbitmq-server", "echo started"))
    home.mkdir()
    if flags is not None:
        (home / "mnesia" / NODE).mkdir(parents=True)
        (home / "mnesia" / f"{NODE}-feature_flags").write_text(flags)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "RABBITMQ_NODENAME": NODE}
    run = subprocess.run([script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "started"
    assert ("broker data set aside" in run.stdout) is not is_kept
    assert (home / "mnesia").exists() is (is_kept and flags is not None)
    assert (home / "mnesia-before-4" / NODE).exists() is not is_kept
