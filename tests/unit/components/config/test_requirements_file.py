"""Lines of requirements.txt that pip cannot install in a version's image."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.requirements_file import find_refusals

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("-r base.txt", "write its lines into requirements.txt"),
        ("-rbase.txt", "write its lines into requirements.txt"),
        ("--requirement=base.txt", "write its lines into requirements.txt"),
        ("-c constraints.txt", "write its lines into requirements.txt"),
        ("--constraint ../constraints.txt  # ours", "write its lines into requirements.txt"),
        ("-e .", "move its code into the folder"),
        ("--editable=./helpers", "move its code into the folder"),
        (".", "move its code into the folder"),
        (".[extra]", "move its code into the folder"),
        ("./wheels/x-1.0-py3-none-any.whl", "move its code into the folder"),
        ("wheels/x-1.0-py3-none-any.whl --hash=sha256:00", "move its code into the folder"),
        ("x-1.0.tar.gz", "move its code into the folder"),
        ("x-1.0-py3-none-any.whl ; python_version > '3'", "move its code into the folder"),
        ("/opt/x", "move its code into the folder"),
        ("file:///opt/x", "move its code into the folder"),
        ("x @ file:///opt/x", "move its code into the folder"),
        ("x[extra]@./x", "move its code into the folder"),
        ("--find-links ./wheels", "move its code into the folder"),
        ("-f wheels", "move its code into the folder"),
        ("git+https://example.com/x.git@v1#egg=x", "the https address of an archive"),
        ("-e git+ssh://git@example.com/x.git", "the https address of an archive"),
        ("x @ git+https://example.com/x.git", "the https address of an archive"),
        ("hg+https://example.com/x", "the https address of an archive"),
    ],
)
def test_line_that_cannot_work_is_refused_with_remedy(line: str, remedy: str) -> None:
    (refusal,) = find_refusals(f"# packages\nnumpy==2.0.0\n\n  {line}\n".encode())
    assert refusal.line == 4
    assert refusal.actual.endswith(" in line 4 of requirements.txt")
    assert remedy in refusal.hint


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.0.0",
        "numpy",
        "numpy[extra]>=2,<3 ; python_version < '3.13'  # -r base.txt",
        "numpy==2.0.0 \\\n    --hash=sha256:0123 \\\n    --hash=sha256:4567",
        "x @ https://example.com/x-1.0-py3-none-any.whl",
        "https://example.com/archive/0123.tar.gz",
        "--index-url https://packages.example.com/simple",
        "--extra-index-url=https://packages.example.com/simple",
        "--find-links https://example.com/wheels/",
        "-f https://example.com/wheels/",
        "--require-hashes",
        "--only-binary :all:",
        "--no-binary=numpy",
        "--pre",
        "# -e .",
        "# ends in a backslash \\",
        "torch ; platform_machine == 'a/b'",
    ],
)
def test_line_that_may_work_is_accepted(line: str) -> None:
    assert not list(find_refusals(line.encode()))
    (refusal,) = find_refusals(f"{line}\n.".encode())
    assert refusal.text == "."


def test_line_number_is_that_of_the_first_part() -> None:
    (refusal,) = find_refusals(b"\xef\xbb\xbfnumpy\n--requirement \\\n  base.txt\n")
    assert (refusal.line, refusal.text) == (2, "--requirement   base.txt")


def test_any_bytes_are_read() -> None:
    assert not list(find_refusals(b"\xff\x00\nnumpy\\"))


@pytest.mark.parametrize("file", sorted(ROOT.glob("models/*/*/requirements.txt")), ids=str)
def test_sample_models_are_accepted(file: Path) -> None:
    assert not list(find_refusals(file.read_bytes()))
