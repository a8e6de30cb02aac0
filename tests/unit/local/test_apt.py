"""Installation of missing Debian packages, and the errors on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from local.build import apt
from local.errors import SetupError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def record(command: Sequence[str], **_: object) -> str:
        calls.append(list(command))
        return ""

    monkeypatch.setattr(apt, "run", record)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(apt, "_SYSTEMD", Path("/nonexistent"))
    return calls


def set_missing(monkeypatch: pytest.MonkeyPatch, answers: Sequence[list[str]]) -> None:
    remaining = list(answers)
    monkeypatch.setattr(apt, "missing", lambda _: remaining.pop(0))


def test_install_without_missing_packages_runs_nothing(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_missing(monkeypatch, [[]])
    apt.install()
    assert commands == []


def test_install_completes_killed_installation_first(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_missing(monkeypatch, [["etcd-server", "gcc"], []])
    apt.install()
    assert [command[:2] for command in commands] == [
        ["dpkg", "--configure"],
        ["apt-get", "update"],
        ["apt-get", "install"],
    ]
    assert commands[-1][-2:] == ["etcd-server", "gcc"]


def test_install_disables_services_of_new_packages(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_missing(monkeypatch, [["etcd-server", "gcc"], []])
    monkeypatch.setattr(apt, "_SYSTEMD", tmp_path)
    apt.install()
    assert commands[-1] == ["systemctl", "disable", "--now", "etcd.service"]


def test_install_without_apt_get_names_missing_packages(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_missing(monkeypatch, [["runc"]])
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SetupError, match=r"there is no apt-get: .*runc"):
        apt.install()
    assert commands == []


def test_install_without_expected_program_fails(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_missing(monkeypatch, [["runc"], ["runc"]])
    with pytest.raises(SetupError, match="runc, but not all of their programs"):
        apt.install()


def test_package_is_missing_without_one_of_its_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apt, "PACKAGES", {"docker.io": ("sh", "/nonexistent/docker")})
    assert apt.missing(apt.PACKAGES) == ["docker.io"]
    monkeypatch.setattr(apt, "PACKAGES", {"docker.io": ("sh", "/bin/sh")})
    assert apt.missing(apt.PACKAGES) == []
