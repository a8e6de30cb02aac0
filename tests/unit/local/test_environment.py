"""The folders, and the environment that `make env` prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.build import go_tools
from local.errors import SetupError
from local.paths import ROOT, Paths
from local.pulumi import environment


def test_paths_follow_xdg_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    paths = Paths.of_user()
    assert (paths.cache, paths.state) == (Path("/c/model-deployment"), Path("/s/model-deployment"))


def test_paths_without_xdg_variables_are_in_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "")  # set but empty is as good as unset
    monkeypatch.setenv("HOME", "/h")
    paths = Paths.of_user()
    assert paths.cache == Path("/h/.cache/model-deployment")
    assert paths.state == Path("/h/.local/state/model-deployment")


def test_paths_are_outside_of_the_work_tree() -> None:
    paths = Paths.of_user()
    assert not any(path.is_relative_to(ROOT) for path in (paths.cache, paths.state, paths.run))


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_users_tools_take_precedence(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [program(tmp_path / "bin", name) for name in ("pulumi", "kubectl")]
    program(go_tools.PULUMI.folder(paths), "pulumi")
    program(go_tools.KUBERNETES.folder(paths), "kubectl")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert [environment.pulumi(paths), environment.kubectl(paths)] == own
    assert environment.local(paths)["PATH"].startswith(f"{tmp_path}/bin:")


def test_built_tool_is_used_without_users_tool(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = program(go_tools.PULUMI.folder(paths), "pulumi")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.pulumi(paths) == built


@pytest.mark.parametrize("name", ["pulumi", "kubectl"])
def test_missing_tool_error_names_tool_and_url(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=f"{name} is not on PATH.*\n.*https://"):
        getattr(environment, name)(paths)


def test_environment_is_idempotent(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    once = environment.local(paths)
    monkeypatch.setenv("PATH", once["PATH"])
    assert environment.local(paths) == once


def test_make_env_works_before_make_up(tmp_path: Path) -> None:
    env = {
        "PATH": f"/it's here:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PULUMI_CONFIG_PASSPHRASE": "the user's own",
        "PYTHONPATH": str(ROOT),
    }
    printed = subprocess.run(
        [sys.executable, "-m", "local", "env"],
        env=env, capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert all(line.startswith("export ") for line in printed.stdout.splitlines())
    evaluated = subprocess.run(
        ["sh", "-c", f"{printed.stdout}\necho $KUBECONFIG; echo $PULUMI_CONFIG_PASSPHRASE"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kubeconfig, passphrase = evaluated.stdout.splitlines()
    assert kubeconfig == f"{tmp_path}/.local/state/model-deployment/kubeconfig"
    assert passphrase == environment.PASSPHRASE.read_text().strip(), "it overrides an inherited one"
    assert not any(tmp_path.iterdir()), "make env writes no files"
