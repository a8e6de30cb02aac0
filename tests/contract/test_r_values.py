"""What harness/r takes for R's serialization is what R itself reads and writes."""

import base64

import yaml
from model_harness_r.writer import write

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
    ([{"a": 1}, {"a": 2}], "list(list(a = 1), list(a = 2))"),
    ({"a": {"b": None}, "ü": "x"}, 'list(a = list(b = NULL), ü = "x")'),
]


def test_the_kept_bytes_are_those_that_r_writes() -> None:
    cases = CASES["results"] + CASES["refused"]
    assert len(cases) > 50
    for case, found in zip(cases, serialized([case["r"] for case in cases]), strict=True):
        assert found[:6] == b"B\n\x02\x00\x00\x00"
        assert found[HEADER_BYTES:] == base64.b64decode(case["bytes"]), case["r"]


def test_r_reads_arguments_as_the_values_that_they_are() -> None:
    expressions = []
    for value, wanted in ARGUMENTS:
        data = ", ".join(f"0x{byte:02x}" for byte in write(("x",), [value]))
        expressions.append(
            f"identical(unserialize(as.raw(c({data}))), list(x = {wanted}), num.eq = FALSE)"
        )
    answers = serialized(expressions)
    true = serialized(["TRUE"])[0]
    wrong = [
        wanted for (_, wanted), answer in zip(ARGUMENTS, answers, strict=True) if answer != true
    ]
    assert wrong == []
