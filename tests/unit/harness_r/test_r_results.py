"""Results that R serialized, and their JSON."""

import base64
import json
from pathlib import Path

import pytest
import yaml
from model_harness.protocols import json_encoding
from model_harness_r.serialization.deserialize import deserialize
from model_harness_r.serialization.sexp_types import HEADER

CASES = yaml.safe_load(Path(__file__).with_name("results.yaml").read_text(encoding="utf-8"))


def serialized(case: dict) -> bytes:
    return HEADER + base64.b64decode(case["bytes"])


@pytest.mark.parametrize("case", CASES["results"], ids=lambda case: case["r"])
def test_result_is_deserialized_to_json(case: dict) -> None:
    value = json.loads(json_encoding.encode(deserialize(serialized(case))))
    assert value == case["json"]
    assert type(value) is type(case["json"])


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["r"])
def test_result_that_is_not_json_is_refused_with_its_type(case: dict) -> None:
    with pytest.raises(TypeError) as raised:
        deserialize(serialized(case))
    assert case["message"] in str(raised.value)


def test_double_keeps_every_digit() -> None:
    assert deserialize(serialized(CASES["results"][0])) == 22.638350924442673


def test_other_format_is_refused() -> None:
    with pytest.raises(TypeError, match="not in serialization format version 2"):
        deserialize(b"X\n" + serialized(CASES["results"][2])[2:])
