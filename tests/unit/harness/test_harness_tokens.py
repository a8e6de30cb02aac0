"""Tokens in files: who is let in, and what happens while the files are exchanged."""

import base64
import time
from pathlib import Path

import pytest
from model_harness.errors import RefusedError, StartupError
from model_harness.tokens import Tokens


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").write_text("first-token\n")
    (tmp_path / "b").write_text("zweites-tökén")
    (tmp_path / "empty").write_text("")
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "c").write_text("not-mounted")
    return tmp_path


@pytest.mark.parametrize(
    "header",
    [
        "Bearer first-token",
        "bearer  first-token",
        "Bearer zweites-tökén",
        basic("first-token", "first-token"),
        basic("zweites-tökén", "zweites-tökén"),
    ],
)
def test_each_token_lets_in(folder: Path, header: str) -> None:
    Tokens(str(folder)).check(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer first-toke",
        "Bearer first-token2",
        "Bearer not-mounted",
        "first-token",
        "Digest first-token",
        "Basic first-token",
        "Basic %%%",
        "Basic é",
        basic("first-token", ""),
        basic("", "first-token"),
        basic("first-token", "zweites-tökén"),
        basic("", ""),
    ],
)
def test_nothing_else_does(folder: Path, header: str | None) -> None:
    with pytest.raises(RefusedError) as caught:
        Tokens(str(folder)).check(header)
    assert caught.value.status == 401
    assert caught.value.headers["www-authenticate"].startswith("Bearer")


def test_an_empty_directory_lets_nobody_in(tmp_path: Path) -> None:
    for header in (None, "Bearer ", "Bearer x", basic("", "")):
        with pytest.raises(RefusedError):
            Tokens(str(tmp_path)).check(header)


def test_without_a_directory_everybody_is_let_in() -> None:
    tokens = Tokens(None)
    assert not tokens.required
    tokens.check(None)


def test_a_directory_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"cannot read .*/nowhere: No such file"):
        Tokens(str(tmp_path / "nowhere"))


def test_tokens_are_exchanged_as_kubelet_does_it(tmp_path: Path) -> None:
    for number, content in enumerate(("old", "new")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "a").write_text(content)
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "a").symlink_to("..data/a")
    tokens = Tokens(str(tmp_path))
    tokens.check("Bearer old")
    (tmp_path / "..data_tmp").symlink_to("..1")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    end = time.monotonic() + 10
    while time.monotonic() < end:  # by the tokens' own thread
        try:
            tokens.check("Bearer new")
        except RefusedError:
            time.sleep(0.05)
        else:
            break
    tokens.check("Bearer new")
    with pytest.raises(RefusedError):
        tokens.check("Bearer old")


def test_what_cannot_be_read_for_a_moment_stays(folder: Path) -> None:
    tokens = Tokens(str(folder))
    folder.rename(folder.parent / "away")
    tokens.reload()
    tokens.check("Bearer first-token")
    (folder.parent / "away").rename(folder)
    (folder / "a").unlink()
    tokens.reload()
    with pytest.raises(RefusedError):
        tokens.check("Bearer first-token")
