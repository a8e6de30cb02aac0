"""What is missing on a Debian is installed; elsewhere, or without a network, a sentence says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from local import packages
from local.errors import GroundError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    ran: list[list[str]] = []

    def record(command: Sequence[str], **_: object) -> str:
        ran.append(list(command))
        return ""

    monkeypatch.setattr(packages, "run", record)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(packages, "_SYSTEMD", Path("/nonexistent"))
    return ran


def lack(monkeypatch: pytest.MonkeyPatch, answers: Sequence[list[str]]) -> None:
    remaining = list(answers)
    monkeypatch.setattr(packages, "missing", lambda _: remaining.pop(0))


def test_where_nothing_is_missing_nothing_is_run(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(monkeypatch, [[]])
    packages.install()
    assert commands == []


def test_a_killed_installation_is_completed_before_the_next(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(monkeypatch, [["etcd-server", "gcc"], []])
    packages.install()
    assert [command[:2] for command in commands] == [
        ["dpkg", "--configure"],
        ["apt-get", "update"],
        ["apt-get", "install"],
    ]
    assert commands[-1][-2:] == ["etcd-server", "gcc"]


def test_services_of_new_packages_do_not_take_our_ports(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lack(monkeypatch, [["etcd-server", "gcc"], []])
    monkeypatch.setattr(packages, "_SYSTEMD", tmp_path)
    packages.install()
    assert commands[-1] == ["systemctl", "disable", "--now", "etcd.service"]


def test_a_machine_without_apt_get_is_told_what_is_missing(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(monkeypatch, [["runc"]])
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(GroundError, match=r"there is no apt-get: .*runc"):
        packages.install()
    assert commands == []


def test_a_package_without_its_program_is_not_believed(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(monkeypatch, [["runc"], ["runc"]])
    with pytest.raises(GroundError, match="runc, but not the programs"):
        packages.install()


def test_a_package_is_missing_when_one_of_its_programs_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "PACKAGES", {"docker.io": ("sh", "/nonexistent/docker")})
    assert packages.missing(packages.PACKAGES) == ["docker.io"]
    monkeypatch.setattr(packages, "PACKAGES", {"docker.io": ("sh", "/bin/sh")})
    assert packages.missing(packages.PACKAGES) == []
