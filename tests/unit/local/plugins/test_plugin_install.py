"""Which plugin is installed: an official one first, a stand-in last."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from local.errors import SetupError
from local.paths import Paths
from local.pulumi.plugins.install import MARKER, built_provider, install, needs_build
from local.pulumi.plugins.versions import version_of

ROOT = Path(__file__).parents[4]
PULUMI = """#!/bin/sh
# A Pulumi whose download works or not; `--file` takes a folder or an executable.
echo "$@" >> {log}
shift 3
name=$1 version=$2
shift 2
folder="$PULUMI_HOME/plugins/resource-$name-$version"
if [ "$1" = --file ]; then
  mkdir -p "$folder"
  if [ -d "$2" ]; then cp "$2"/* "$folder/"; else cp "$2" "$folder/"; fi
  exit 0
fi
[ {download} = 0 ] || exit 1
mkdir -p "$folder"
echo downloaded > "$folder/pulumi-resource-$name"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return paths(tmp_path).pulumi_home


def paths(folder: Path) -> Paths:
    return Paths(folder / "cache", folder / "state", folder / "run")


def pulumi(folder: Path, download: int = 1) -> Path:
    program = folder / "pulumi"
    program.write_text(PULUMI.format(log=folder / "log", download=download))
    program.chmod(0o755)
    return program


def calls(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def executable(home: Path, name: str) -> Path:
    folder = home / "plugins" / f"resource-{name}-v{version_of(name)}"
    return folder / f"pulumi-resource-{name}"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)


def run(tmp_path: Path, home: Path, download: int = 1) -> dict[str, str]:
    built = built_provider(paths(tmp_path))
    if not built.exists():
        write(built, "built")
    lines = install(pulumi(tmp_path, download), paths(tmp_path), Path(sys.executable), ROOT)
    return {line.split()[0]: line for line in lines}


def test_install_without_download_uses_built_provider_and_marked_stand_in(
    tmp_path: Path, home: Path
) -> None:
    lines = run(tmp_path, home)
    assert "built from its Go module" in lines["kubernetes"]
    assert executable(home, "kubernetes").read_text() == "built"
    assert "a stand-in is used" in lines["docker"]
    launcher = executable(home, "docker")
    assert "-m local.pulumi.plugins.docker" in launcher.read_text()
    assert launcher.stat().st_mode & 0o111
    before = calls(tmp_path)
    lines = run(tmp_path, home)
    assert "the official plugin is installed" in lines["kubernetes"]
    assert "the stand-in is installed" in lines["docker"]
    assert calls(tmp_path) == before


def test_install_replaces_stand_in_of_other_sources_without_download(
    tmp_path: Path, home: Path
) -> None:
    run(tmp_path, home)
    mark = executable(home, "docker").with_name(MARKER)
    fresh = mark.read_text()
    mark.write_text(json.dumps({"sources": "old"}))
    before = len(calls(tmp_path))
    run(tmp_path, home)
    assert mark.read_text() == fresh
    new = calls(tmp_path)[before:]
    assert len(new) == 1
    assert "--file" in new[0]


@pytest.mark.parametrize("version", ["4.34.2", version_of("kubernetes")])
def test_install_replaces_kubernetes_stand_in_of_earlier_release(
    tmp_path: Path, home: Path, version: str
) -> None:
    earlier = home / "plugins" / f"resource-kubernetes-v{version}"
    write(earlier / MARKER, "{}")
    launcher = earlier / "pulumi-resource-kubernetes"
    launcher.write_text("launcher")
    run(tmp_path, home)
    assert launcher.read_text() == "built"
    assert not (earlier / MARKER).exists()
    # Pulumi skips links to folders
    assert not earlier.is_symlink()
    assert executable(home, "kubernetes").read_text() == "built"


def test_install_keeps_installed_official_plugin(tmp_path: Path, home: Path) -> None:
    write(executable(home, "kubernetes"), "official")
    assert "the official plugin is installed" in run(tmp_path, home)["kubernetes"]
    assert executable(home, "kubernetes").read_text() == "official"
    assert not any(" kubernetes " in call for call in calls(tmp_path))


@pytest.mark.parametrize("name", ["kubernetes", "docker"])
def test_install_prefers_users_official_plugin(tmp_path: Path, home: Path, name: str) -> None:
    if name == "docker":
        run(tmp_path, home)
    write(executable(tmp_path / "user" / ".pulumi", name), "official")
    assert "is used" in run(tmp_path, home)[name]
    assert executable(home, name).read_text() == "official"
    assert not executable(home, name).parent.is_symlink()
    assert "the official plugin is installed" in run(tmp_path, home)[name]


def test_install_prefers_download(tmp_path: Path, home: Path) -> None:
    lines = run(tmp_path, home, download=0)
    assert "was downloaded" in lines["kubernetes"]
    assert "was downloaded" in lines["docker"]
    assert not any("--file" in call for call in calls(tmp_path))


def test_needs_build_is_true_only_without_installed_plugin_and_download(
    tmp_path: Path, home: Path
) -> None:
    assert needs_build(pulumi(tmp_path), paths(tmp_path))
    assert not needs_build(pulumi(tmp_path, download=0), paths(tmp_path))
    assert executable(home, "kubernetes").read_text() == "downloaded\n"
    assert not needs_build(pulumi(tmp_path), paths(tmp_path))


def test_needs_build_is_true_for_stand_in_of_earlier_release(tmp_path: Path, home: Path) -> None:
    write(executable(home, "kubernetes"), "launcher")
    executable(home, "kubernetes").with_name(MARKER).write_text("{}")
    assert needs_build(pulumi(tmp_path), paths(tmp_path))
    write(executable(tmp_path / "user" / ".pulumi", "kubernetes"), "official")
    assert not needs_build(pulumi(tmp_path), paths(tmp_path))


def test_install_without_provider_names_the_remedy(tmp_path: Path, home: Path) -> None:
    with pytest.raises(SetupError, match=r"nor downloadable.*\n.*make up"):
        install(pulumi(tmp_path), paths(tmp_path), Path(sys.executable), ROOT)
