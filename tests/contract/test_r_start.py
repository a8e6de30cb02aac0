"""The start of the R harness and its errors."""

from pathlib import Path

import pytest

from tests.contract.harness_process import HarnessProcess
from tests.contract.r_handlers import FUNCTIONS, PACKAGE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.R").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


START_FAILURES = [
    ("nowhere:f", "nowhere.R does not exist in "),
    ("broken:f", "cannot parse broken.R: broken.R:2:16: unexpected ')'"),
    ("needs:f", "needs.R requires the package 'notThere' (line 2), which is not installed; "),
    ("raises:f", "loading raises.R failed at line 3: simpleError: no weights"),
    ("exits:f", "the R process ended with status 4 while it loaded exits.R"),
    ("predict:absent", "predict.R has no 'absent'; it defines chatter, column, die, "),
    ("kinds:NUMBER", "'NUMBER' of kinds.R is not a function: it is a numeric"),
    ("kinds:latin", "default of an argument: the result has a text that is not UTF-8"),
]


@pytest.mark.parametrize(("label", "message"), START_FAILURES, ids=[x for x, _ in START_FAILURES])
def test_handler_error_ends_start(folder: Path, label: str, message: str) -> None:
    (folder / "broken.R").write_text("x <- 1\nf <- function(,) 1\n")
    (folder / "needs.R").write_text("x <- 1\nlibrary(notThere)\n")
    (folder / "raises.R").write_text("x <- 1\n\nread <- function() stop('no weights'); read()\n")
    (folder / "exits.R").write_text("quit('no', status = 4)\n")
    (folder / "kinds.R").write_text("NUMBER <- 1\nlatin <- function(x = '\\xff') x\n")
    harness = HarnessProcess(folder, label, {"MODEL_WORKERS": "2"}, package=PACKAGE)
    harness.start()
    try:
        status, _, errors = harness.finish()
    finally:
        harness.end()
    last = errors.splitlines()[-1]
    assert status == 1
    assert last.startswith(f"handler {label}: ")
    assert message in last


def test_missing_r_is_reported(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict:quick", {"PATH": str(folder)}, package=PACKAGE)
    harness.start()
    try:
        status, _, errors = harness.finish()
    finally:
        harness.end()
    assert status == 1
    assert errors.splitlines()[-1].startswith("cannot run Rscript (No such file or directory)")


def test_handler_pattern_is_that_of_r(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict.R", package=PACKAGE)
    harness.start()
    try:
        status, _, errors = harness.finish()
    finally:
        harness.end()
    assert status == 1
    assert "MODEL_HANDLER is 'predict.R'; write <file>:<function>, the file without .R" in errors
