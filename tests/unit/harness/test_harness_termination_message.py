"""The termination message: written to kubelet's file, without secrets."""

import json
import logging
from pathlib import Path

import pytest
from model_harness.observability.log import JsonFormatter
from model_harness.observability.termination_message import MAX_BYTES, TerminationMessage

KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBg\n}\n-----END KEY-----\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "termination-log"
    path.touch()
    return path


@pytest.fixture
def termination(file: Path) -> TerminationMessage:
    return TerminationMessage.from_environment(
        {
            "MODEL_TERMINATION_LOG": str(file),
            "MODEL_SECRETS": "API_KEY,LONGER,KEY,QUOTED,EMPTY,ABSENT",
            "API_KEY": "s3cret",
            "LONGER": "s3cret.and.more",
            "KEY": KEY,
            "QUOTED": 'it\'s \\ "so"',
            "EMPTY": "",
            "PLAIN": "public",
        }
    )


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key s3cret, twice s3cret", "key <secret API_KEY>, twice <secret API_KEY>"),
        ("the longer s3cret.and.more", "the longer <secret LONGER>"),
        (f"cannot read {KEY}!", "cannot read <secret KEY>!"),
        (f"cannot read {KEY!r}", "cannot read '<secret KEY>'"),
        ("line 2 is MIIBVgIBADANBg {}", "line 2 is <secret KEY> {}"),
        ("KeyError: " + repr('it\'s \\ "so"'), "KeyError: '<secret QUOTED>'"),
        ("a public value", "a public value"),
    ],
)
def test_redactor_replaces_secret_by_its_name(
    termination: TerminationMessage, text: str, redacted: str
) -> None:
    assert termination.redactor.redact(text) == redacted


def test_report_writes_same_text_to_file_and_log(
    termination: TerminationMessage, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    termination.report("the first and longer sentence")
    termination.report("no s3cret")
    assert file.read_text() == "no <secret API_KEY>"
    assert capsys.readouterr().err.splitlines()[-1] == "no <secret API_KEY>"


def test_log_line_is_redacted(termination: TerminationMessage) -> None:
    exception = (ValueError, ValueError(KEY), None)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "wrong: %s", ("s3cret",), exception)
    line = json.loads(JsonFormatter(termination.redactor).format(record))
    assert line["message"] == "wrong: <secret API_KEY>"
    assert line["traceback"].endswith("ValueError: <secret KEY>")


def test_write_keeps_kubelets_limit_and_complete_characters(
    termination: TerminationMessage, file: Path
) -> None:
    termination.write("x" + "é" * MAX_BYTES)
    assert set(file.read_text(encoding="utf-8")) == {"é"}
    assert MAX_BYTES - 2 < file.stat().st_size <= MAX_BYTES


def test_write_redacts_before_it_truncates(termination: TerminationMessage, file: Path) -> None:
    termination.write("s3cret" + "x" * (MAX_BYTES - 3))
    assert "ret" not in file.read_text().replace("<secret", "")


def test_write_if_empty_keeps_existing_message(termination: TerminationMessage, file: Path) -> None:
    termination.write_if_empty("it ended")
    assert file.read_text() == "it ended"
    termination.write("why it ended")
    termination.write_if_empty("it ended")
    assert file.read_text() == "why it ended"


def test_report_does_not_create_missing_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "absent"
    termination = TerminationMessage.from_environment({"MODEL_TERMINATION_LOG": str(file)})
    termination.report("why")
    termination.write_if_empty("it ended")
    assert not file.exists()
    assert capsys.readouterr().err.splitlines()[0] == "why"
