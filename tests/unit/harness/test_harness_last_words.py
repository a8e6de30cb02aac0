"""What a container says last: into the file that is the Pod's status, without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_harness import last_words
from model_harness.log import JsonFormatter

KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBg\n}\n-----END KEY-----\n"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "termination-log"
    made.touch()
    last_words.configure(
        {
            "MODEL_TERMINATION_LOG": str(made),
            "MODEL_SECRETS": "API_KEY,LONGER,KEY,QUOTED,EMPTY,ABSENT",
            "API_KEY": "s3cret",
            "LONGER": "s3cret.and.more",
            "KEY": KEY,
            "QUOTED": 'it\'s \\ "so"',
            "EMPTY": "",
            "PLAIN": "shown",
        }
    )
    yield made
    last_words.configure({})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("key s3cret, twice s3cret", "key <secret API_KEY>, twice <secret API_KEY>"),
        ("the longer s3cret.and.more", "the longer <secret LONGER>"),
        (f"cannot read {KEY}!", "cannot read <secret KEY>!"),
        (f"cannot read {KEY!r}", "cannot read '<secret KEY>'"),
        ("line 2 is MIIBVgIBADANBg {}", "line 2 is <secret KEY> {}"),
        ("KeyError: " + repr('it\'s \\ "so"'), "KeyError: '<secret QUOTED>'"),
        ("a shown value", "a shown value"),
    ],
)
def test_values_of_secrets_give_way_to_their_names(file: Path, text: str, told: str) -> None:
    assert last_words.without_secrets(text) == told


def test_what_is_said_is_kept_and_shown_alike(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last_words.say("the first and longer sentence")
    last_words.say("no s3cret")
    assert file.read_text() == "no <secret API_KEY>"
    assert capsys.readouterr().err.splitlines()[-1] == "no <secret API_KEY>"


def test_a_log_line_has_no_secret_either(file: Path) -> None:
    wrong = ValueError(KEY)
    found = (ValueError, wrong, None)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "wrong: %s", ("s3cret",), found)
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "wrong: <secret API_KEY>"
    assert line["traceback"].endswith("ValueError: <secret KEY>")


def test_so_much_is_kept_as_kubelet_reads_and_whole_characters(file: Path) -> None:
    last_words.keep("x" + "é" * last_words.MOST_BYTES)
    assert set(file.read_text(encoding="utf-8")) == {"é"}
    assert last_words.MOST_BYTES - 2 < file.stat().st_size <= last_words.MOST_BYTES


def test_a_secret_at_the_cut_is_left_out_before_it(file: Path) -> None:
    last_words.keep("s3cret" + "x" * (last_words.MOST_BYTES - 3))
    assert "ret" not in file.read_text().replace("<secret", "")


def test_a_general_sentence_does_not_replace_an_exact_one(file: Path) -> None:
    last_words.keep_if_none("it ended")
    assert file.read_text() == "it ended"
    last_words.keep("why it ended")
    last_words.keep_if_none("it ended")
    assert file.read_text() == "why it ended"


def test_a_file_that_kubelet_has_not_made_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "absent"
    last_words.configure({"MODEL_TERMINATION_LOG": str(file)})
    try:
        last_words.say("why")
        last_words.keep_if_none("it ended")
    finally:
        last_words.configure({})
    assert not file.exists()
    assert capsys.readouterr().err.splitlines()[0] == "why"
