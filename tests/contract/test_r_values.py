"""The serialization of harness/r agrees with R."""

import base64

import yaml
from model_harness_r.serialization.serialize import NA, serialize

from tests.contract.harness_process import ROOT
from tests.contract.r_process import serialized

CASES = yaml.safe_load(
    (ROOT / "tests" / "unit" / "harness_r" / "results.yaml").read_text(encoding="utf-8")
)
HEADER_BYTES = 14
ARGUMENTS = [
    (None, "NULL"),
    (True, "TRUE"),
    (3, "3"),
    (12345678901, "12345678901"),
    (0.1, "0.1"),
    ("ä€😀", '"ä€\\U1F600"'),
    ("", '""'),
    ([], "list()"),
    ({}, "setNames(list(), character(0))"),
    ([1, 2.5], "c(1, 2.5)"),
    ([5], "5"),
    ([1, None], "c(1, NA)"),
    (["a", None, "ü"], 'c("a", NA, "ü")'),
    ([True, None, False], "c(TRUE, NA, FALSE)"),
    ([None], "NA"),
    ([1, "x", True, None], 'list(1, "x", TRUE, NULL)'),
    ([[1, 2], [3, 4]], "list(c(1, 2), c(3, 4))"),
    ([{"a": 1}, {"a": 2}], "data.frame(a = c(1, 2))"),
    (
        [{"ü": 2, "s": None, "l": True, "n": None}, {"n": None, "l": None, "s": "x", "ü": None}],
        'data.frame(ü = c(2, NA), s = c(NA, "x"), l = c(TRUE, NA), n = c(NA_real_, NA_real_))',
    ),
    (
        [{"a": 1}, {"a": "x"}, {"a": None}],
        'structure(list(a = list(1, "x", NA)), class = "data.frame", row.names = c(NA, -3L))',
    ),
    ([{}, {}], "data.frame(row.names = 1:2)"),
    ([{"a": 1}, {"b": 2}], "list(list(a = 1), list(b = 2))"),
    ([{"a": [1, 2]}], "list(list(a = c(1, 2)))"),
    (NA.NUMBER, "NA_real_"),
    (NA.TEXT, "NA_character_"),
    (NA.LOGICAL, "NA"),
    ({"a": {"b": None}, "ü": "x"}, 'list(a = list(b = NULL), ü = "x")'),
]


def test_recorded_bytes_are_those_that_r_writes() -> None:
    cases = CASES["results"] + CASES["refused"]
    assert len(cases) > 50
    for case, actual in zip(cases, serialized([case["r"] for case in cases]), strict=True):
        assert actual[:6] == b"B\n\x02\x00\x00\x00"
        assert actual[HEADER_BYTES:] == base64.b64decode(case["bytes"]), case["r"]


def test_r_unserializes_arguments_to_same_values() -> None:
    expressions = []
    for value, expected in ARGUMENTS:
        data = ", ".join(f"0x{byte:02x}" for byte in serialize(("x",), [value]))
        expressions.append(
            f"identical(unserialize(as.raw(c({data}))), list(x = {expected}), num.eq = FALSE)"
        )
    answers = serialized(expressions)
    true = serialized(["TRUE"])[0]
    wrong = [
        expected for (_, expected), answer in zip(ARGUMENTS, answers, strict=True) if answer != true
    ]
    assert wrong == []
