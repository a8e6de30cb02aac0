"""The pattern language of `.dockerignore`.

The expected paths are those of github.com/moby/patternmatcher 0.6.1, Docker's own. Another result
would change the content of published versions.
"""

from __future__ import annotations

import pytest

from components import ignore_file

PATHS = [
    "A.CSV",
    "a b.txt",
    "data.csv",
    "data/deep/train.csv",
    "data/keep.csv",
    "data/train.csv",
    "notes.md",
    "predict.py",
    "tests/data/x.csv",
]
CSV = ["data.csv", "data/deep/train.csv", "data/keep.csv", "data/train.csv", "tests/data/x.csv"]
IN_DATA = ["data/deep/train.csv", "data/keep.csv", "data/train.csv"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# *\n\n", []),
        ("*", PATHS),
        ("**", PATHS),
        ("*.csv", ["data.csv"]),
        ("**/*.csv", CSV),
        ("**.csv", CSV),
        ("*/*.csv", ["data/keep.csv", "data/train.csv"]),
        ("data", IN_DATA),
        ("/data/", IN_DATA),
        ("./tests/../data", IN_DATA),
        ("**/data", [*IN_DATA, "tests/data/x.csv"]),
        ("data/**", IN_DATA),
        ("data/**/train.csv", ["data/deep/train.csv", "data/train.csv"]),
        ("data\n!data/keep.csv", ["data/deep/train.csv", "data/train.csv"]),
        ("!data/keep.csv\ndata", IN_DATA),
        (
            "*\n!predict.py\n!data\ndata/*.csv",
            [*set(PATHS) - {"predict.py", "data/deep/train.csv"}],
        ),
        ("predict.??", ["predict.py"]),
        ("[a-d]*.csv", ["data.csv"]),
        ("[^a-d]*", ["A.CSV", "notes.md", "predict.py", "tests/data/x.csv"]),
        ("  a b.txt \r\nnotes.md\r\n", ["a b.txt", "notes.md"]),
        ("\ufeffnotes.md", ["notes.md"]),
    ],
)
def test_patterns_match_as_in_docker(text: str, expected: list[str]) -> None:
    ignored = ignore_file.parse(text)
    assert [path for path in PATHS if ignored.matches(path)] == sorted(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "'[' in line 1 of .dockerignore"),
        ("notes.md\n[]a]", "'[]a]' in line 2 of .dockerignore"),
        ("\n\n!", "'!' in line 3 of .dockerignore"),
        ("a/[z-a]", "'a/[z-a]' in line 1 of .dockerignore"),
    ],
)
def test_incomplete_pattern_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ignore_file.PatternError) as caught:
        ignore_file.parse(text)
    assert str(caught.value) == message
