"""A version's Debian packages: read, and compared with what Debian has."""

from pathlib import Path

import pytest
from model_harness_r import dependencies
from model_harness_r.dependencies import DependenciesError


def test_comments_and_empty_lines_are_no_packages() -> None:
    text = "# all of it\n\nr-cran-jsonlite=1.8.4+dfsg-1  # JSON\n  r-cran-mass=7.3-58.2-1\n"
    assert dependencies.read(text) == [
        ("r-cran-jsonlite", "1.8.4+dfsg-1"),
        ("r-cran-mass", "7.3-58.2-1"),
    ]


def test_every_line_that_is_no_package_is_told() -> None:
    text = "r-cran-jsonlite\njsonlite (>= 1.8)\n-o=x\nr-cran-mass=7.3-58.2-1\n"
    with pytest.raises(DependenciesError) as raised:
        dependencies.read(text)
    lines = str(raised.value).splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "line 1 is 'r-cran-jsonlite'",
        "line 2 is 'jsonlite (>= 1.8)'",
        "line 3 is '-o=x'",
    ]


def test_what_debian_has_not_is_told_with_what_it_has() -> None:
    offered = {"r-cran-jsonlite": ["1.8.4+dfsg-1"], "r-cran-mass": ["7.3-58.2-1"]}
    wanted = [
        ("r-cran-jsonlite", "1.8.5"),
        ("r-cran-yyjsonr", "0.1"),
        ("r-cran-mass", "7.3-58.2-1"),
    ]
    with pytest.raises(DependenciesError) as raised:
        dependencies.check(wanted, lambda package: offered.get(package, []))
    assert str(raised.value).splitlines() == [
        "r-cran-jsonlite is not to be had in version 1.8.5; write r-cran-jsonlite=1.8.4+dfsg-1",
        "there is no Debian package 'r-cran-yyjsonr' for this image",
    ]


def test_an_empty_file_asks_apt_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without apt-get
    (tmp_path / "dependencies").write_text("# none\n")
    assert dependencies.main(str(tmp_path / "dependencies")) == 0
