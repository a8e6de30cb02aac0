"""Where things lie, and what `make env` prints: nothing of the user's is shadowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import environment
from local.errors import GroundError
from local.paths import ROOT, Paths
from local.tools import build


def test_folders_follow_the_xdg_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    paths = Paths.of_user()
    assert (paths.cache, paths.state) == (Path("/c/model-deployment"), Path("/s/model-deployment"))


def test_folders_without_xdg_variables_are_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "")  # set but empty is as good as unset
    monkeypatch.setenv("HOME", "/h")
    paths = Paths.of_user()
    assert paths.cache == Path("/h/.cache/model-deployment")
    assert paths.state == Path("/h/.local/state/model-deployment")


def test_no_folder_is_in_the_work_tree() -> None:
    paths = Paths.of_user()
    assert not any(path.is_relative_to(ROOT) for path in (paths.cache, paths.state, paths.run))


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_users_own_tools_come_first(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [program(tmp_path / "bin", name) for name in ("pulumi", "kubectl")]
    program(build.PULUMI.folder(paths), "pulumi")
    program(build.KUBERNETES.folder(paths), "kubectl")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert [environment.pulumi(paths), environment.kubectl(paths)] == own
    assert environment.local(paths)["PATH"].startswith(f"{tmp_path}/bin:")


def test_built_tools_serve_where_the_user_has_none(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = program(build.PULUMI.folder(paths), "pulumi")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.pulumi(paths) == built


@pytest.mark.parametrize("name", ["pulumi", "kubectl"])
def test_a_missing_tool_is_named_with_the_way_to_get_it(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GroundError, match=f"there is no {name} on PATH.*\n.*https://"):
        getattr(environment, name)(paths)


def test_the_environment_evaluated_twice_stays_the_same(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = environment.local(paths)
    monkeypatch.setenv("PATH", once["PATH"])
    assert environment.local(paths) == once


def test_make_env_needs_nothing_that_runs_or_is_built(tmp_path: Path) -> None:
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
    shown = subprocess.run(
        ["sh", "-c", f"{printed.stdout}\necho $KUBECONFIG; echo $PULUMI_CONFIG_PASSPHRASE"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kubeconfig, passphrase = shown.stdout.splitlines()
    assert kubeconfig == f"{tmp_path}/.local/state/model-deployment/kubeconfig"
    assert passphrase == environment.PASSPHRASE.read_text().strip(), "an inherited one would win"
    assert not any(tmp_path.iterdir()), "it only prints"
