"""Tokens in files, also while kubelet replaces the files."""

import base64
import time
from pathlib import Path

import pytest
from model_harness.errors import RequestError, StartupError
from model_harness.http.authentication import TokenAuthenticator

from tests.support.time_limits import at_most


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
def test_valid_token_is_accepted(folder: Path, header: str) -> None:
    TokenAuthenticator(str(folder)).check(header)


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
def test_invalid_header_is_refused_with_401(folder: Path, header: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        TokenAuthenticator(str(folder)).check(header)
    assert caught.value.status == 401
    assert caught.value.headers["www-authenticate"].startswith("Bearer")


def test_empty_directory_refuses_every_header(tmp_path: Path) -> None:
    for header in (None, "Bearer ", "Bearer x", basic("", "")):
        with pytest.raises(RequestError):
            TokenAuthenticator(str(tmp_path)).check(header)


def test_no_directory_requires_no_token() -> None:
    tokens = TokenAuthenticator(None)
    assert not tokens.is_required
    tokens.check(None)


def test_missing_directory_is_a_startup_error(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"cannot read .*/nowhere: No such file"):
        TokenAuthenticator(str(tmp_path / "nowhere"))


def test_tokens_are_reloaded_after_kubelet_replaced_files(tmp_path: Path) -> None:
    for number, content in enumerate(("old", "new")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "a").write_text(content)
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "a").symlink_to("..data/a")
    tokens = TokenAuthenticator(str(tmp_path))
    tokens.check("Bearer old")
    (tmp_path / "..data_tmp").symlink_to("..1")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    end = time.monotonic() + at_most(10)
    while time.monotonic() < end:  # the thread of the authenticator reloads them
        try:
            tokens.check("Bearer new")
        except RequestError:
            time.sleep(0.05)
        else:
            break
    tokens.check("Bearer new")
    with pytest.raises(RequestError):
        tokens.check("Bearer old")


def test_reload_keeps_tokens_while_directory_is_unreadable(folder: Path) -> None:
    tokens = TokenAuthenticator(str(folder))
    folder.rename(folder.parent / "away")
    tokens.reload()
    tokens.check("Bearer first-token")
    (folder.parent / "away").rename(folder)
    (folder / "a").unlink()
    tokens.reload()
    with pytest.raises(RequestError):
        tokens.check("Bearer first-token")
