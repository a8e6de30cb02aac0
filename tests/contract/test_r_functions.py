"""R functions: their arguments, results, conditions and output."""

import json
from pathlib import Path

import pytest

from tests.contract.harness_process import Serve, result
from tests.contract.r_handlers import FUNCTIONS, PACKAGE, workers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.R").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def package() -> str:
    return PACKAGE


def test_names_are_never_matched_partially(serve: Serve) -> None:
    harness = serve("partial")
    assert result(harness.call({"w": 5})) == {"wt": 1.0, "rest": {"w": 5.0}, "digits": 2.0}
    assert result(harness.call({"w": 5, "wt": 2, "dig": 1})) == {
        "wt": 2.0,
        "rest": {"w": 5.0, "dig": 1.0},
        "digits": 2.0,
    }


def test_default_without_json_is_allowed(serve: Serve, folder: Path) -> None:
    (folder / "predict.R").write_text("real <- function(x = 2i) Re(x * x)\n")
    assert result(serve("real").call({})) == -4.0


def test_name_may_have_dots(serve: Serve) -> None:
    assert result(serve("na.rm").call({"na.rm": None})) is None


def test_condition_is_answered_with_class_and_message(serve: Serve) -> None:
    harness = serve("own")
    answer = harness.call({})
    assert (answer.status, answer.errors()) == (500, ["flower_error: blue"])
    harness.terminate()
    _, _, errors = harness.finish()
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    records = [x for x in lines if x.get("request_id") == answer.headers["x-request-id"]]
    assert len(records) == 1
    line = FUNCTIONS[: FUNCTIONS.index("  inner(1)")].count("\n") + 1
    assert f"\npredict.R#{line}: inner(1)\n" in records[0]["traceback"]


def test_infinite_recursion_is_answered_with_500(serve: Serve) -> None:
    harness = serve("recurse")
    before = workers(harness)
    answer = harness.call({})
    assert answer.status == 500
    assert "infinite recursion" in answer.errors()[0] or "stack" in answer.errors()[0]
    assert harness.call({}).status == 500
    assert workers(harness) == before


def test_function_that_closes_all_connections_is_answered(serve: Serve) -> None:
    harness = serve("leave")
    before = workers(harness)
    assert [result(harness.call({})) for _ in range(3)] == [7.0] * 3
    assert workers(harness) == before


def test_output_of_r_is_logged(serve: Serve) -> None:
    harness = serve("chatter")
    assert result(harness.call({})) == ""
    assert result(harness.call({})) == ""
    harness.terminate()
    status, output, errors = harness.finish()
    assert status == 0
    assert output.count('[1] "to the log"\nand this\n') == 2
    assert output.count("from a child\n") == 2
    assert errors.count("this too\n") == 2
    assert errors.count("Warning in chatter(): with care\n") == 2


def test_model_object_is_not_a_result(serve: Serve) -> None:
    answer = serve("fitted").call({})
    assert (answer.status, answer.errors()) == (
        500,
        [
            "simpleError: the result cannot be encoded: an object of class lm is not JSON; "
            "return plain values"
        ],
    )


def test_data_frame_is_an_array_of_rows(serve: Serve) -> None:
    harness = serve("frame")
    row = {"id": 1, "kind": "a", "on": "2026-11-22", "x": None}
    assert result(harness.call({"rows": 1})) == [row]
    assert result(harness.call({"rows": 2})) == [row, {**row, "id": 2}]
    large = result(harness.call({"rows": 20000}))
    assert isinstance(large, list)
    assert len(large) == 20000


def test_body_larger_than_pipe(serve: Serve) -> None:
    harness = serve("column")
    values = [number / 7 for number in range(200_000)]
    columns = result(harness.call({"values": values}))
    assert isinstance(columns, dict)
    assert columns["back"] == values
    assert columns["n"] == 200_000


def test_call_refers_to_arguments_by_name(serve: Serve) -> None:
    assert result(serve("text").call({"x": list(range(1000))})) == ".request[[1L]]"


def test_string_with_nul_is_answered_with_400(serve: Serve) -> None:
    answer = serve("size").call({"text": "a\0b"})
    assert answer.status == 400
    assert "NUL" in answer.errors()[0]
