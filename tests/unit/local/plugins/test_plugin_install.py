"""Which plugin is installed: the official one first, a marked stand-in last."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from local.plugins.install import MARK, install
from local.plugins.versions import version_of

ROOT = Path(__file__).parents[4]
PULUMI = """#!/bin/sh
# A Pulumi that has no network: only `--file` works.
echo "$@" >> {log}
shift 3
name=$1 version=$2
shift 2
[ "$1" = --file ] || exit {download}
mkdir -p "$PULUMI_HOME/plugins/resource-$name-$version"
cp "$2"/* "$PULUMI_HOME/plugins/resource-$name-$version/"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "home"


def pulumi(folder: Path, download: int = 1) -> Path:
    program = folder / "pulumi"
    program.write_text(PULUMI.format(log=folder / "log", download=download))
    program.chmod(0o755)
    return program


def calls(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def plugin(home: Path, name: str) -> Path:
    return home / "plugins" / f"resource-{name}-v{version_of(name)}"


def official(home: Path, name: str) -> Path:
    folder = plugin(home, name)
    folder.mkdir(parents=True)
    (folder / f"pulumi-resource-{name}").write_text("official")
    return folder


def run(tmp_path: Path, home: Path, download: int = 1) -> dict[str, str]:
    lines = install(pulumi(tmp_path, download), home, Path(sys.executable), ROOT)
    return {line.split()[0]: line for line in lines}


def test_without_network_a_marked_stand_in_is_installed_and_kept(
    tmp_path: Path, home: Path
) -> None:
    lines = run(tmp_path, home)
    assert "a stand-in takes its place" in lines["kubernetes"]
    assert "a stand-in takes its place" in lines["docker"]
    launcher = plugin(home, "kubernetes") / "pulumi-resource-kubernetes"
    assert "-m local.plugins.kubernetes" in launcher.read_text()
    assert launcher.stat().st_mode & 0o111
    before = calls(tmp_path)
    assert "the stand-in is installed" in run(tmp_path, home)["kubernetes"]
    assert calls(tmp_path) == before


def test_a_stand_in_of_other_sources_is_installed_again_without_a_download(
    tmp_path: Path, home: Path
) -> None:
    run(tmp_path, home)
    mark = plugin(home, "docker") / MARK
    fresh = mark.read_text()
    mark.write_text(json.dumps({"sources": "old"}))
    before = len(calls(tmp_path))
    run(tmp_path, home)
    assert mark.read_text() == fresh
    new = calls(tmp_path)[before:]
    assert len(new) == 1
    assert "--file" in new[0]


def test_an_installed_official_plugin_is_left_alone(tmp_path: Path, home: Path) -> None:
    folder = official(home, "kubernetes")
    assert "the official plugin is installed" in run(tmp_path, home)["kubernetes"]
    assert (folder / "pulumi-resource-kubernetes").read_text() == "official"
    assert not any(" kubernetes " in call for call in calls(tmp_path))


def test_the_users_official_plugin_is_used_also_in_place_of_a_stand_in(
    tmp_path: Path, home: Path
) -> None:
    run(tmp_path, home)
    official(tmp_path / "user" / ".pulumi", "kubernetes")
    assert "is used" in run(tmp_path, home)["kubernetes"]
    found = plugin(home, "kubernetes") / "pulumi-resource-kubernetes"
    assert found.read_text() == "official"
    assert "the official plugin is installed" in run(tmp_path, home)["kubernetes"]


def test_a_download_that_works_is_enough(tmp_path: Path, home: Path) -> None:
    assert "was downloaded" in run(tmp_path, home, download=0)["docker"]
    assert not any("--file" in call for call in calls(tmp_path))
