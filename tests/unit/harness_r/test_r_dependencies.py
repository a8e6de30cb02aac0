"""The dependencies file of a version, compared with the packages of Debian."""

from pathlib import Path

import pytest
from model_harness_r import dependencies
from model_harness_r.dependencies import DependenciesError


def test_comments_and_empty_lines_are_ignored() -> None:
    text = "# comment\n\nr-cran-jsonlite=1.8.4+dfsg-1  # JSON\n  r-cran-mass=7.3-58.2-1\n"
    assert dependencies.parse(text) == [
        ("r-cran-jsonlite", "1.8.4+dfsg-1"),
        ("r-cran-mass", "7.3-58.2-1"),
    ]


def test_byte_order_mark_is_ignored() -> None:
    assert dependencies.parse("\ufeffr-cran-mass=7.3-58.2-1\r\n") == [("r-cran-mass", "7.3-58.2-1")]


def test_every_wrong_line_is_reported() -> None:
    text = "r-cran-jsonlite\njsonlite (>= 1.8)\n-o=x\nr-cran-mass=7.3-58.2-1\n"
    with pytest.raises(DependenciesError) as raised:
        dependencies.parse(text)
    lines = str(raised.value).splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "line 1 is 'r-cran-jsonlite'",
        "line 2 is 'jsonlite (>= 1.8)'",
        "line 3 is '-o=x'",
    ]


def test_unavailable_version_is_reported_with_available_ones() -> None:
    available = {"r-cran-jsonlite": ["1.8.4+dfsg-1"], "r-cran-mass": ["7.3-58.2-1"]}
    packages = [
        ("r-cran-jsonlite", "1.8.5"),
        ("r-cran-yyjsonr", "0.1"),
        ("r-cran-mass", "7.3-58.2-1"),
    ]
    with pytest.raises(DependenciesError) as raised:
        dependencies.check(packages, lambda package: available.get(package, []))
    assert str(raised.value).splitlines() == [
        "r-cran-jsonlite is not available in version 1.8.5; write r-cran-jsonlite=1.8.4+dfsg-1",
        "Debian package 'r-cran-yyjsonr' does not exist for this image",
    ]


def test_empty_file_does_not_run_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without apt-get
    (tmp_path / "dependencies").write_text("# none\n")
    assert dependencies.main(str(tmp_path / "dependencies")) == 0
