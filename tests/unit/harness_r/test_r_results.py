"""What R serialized, and the JSON that it becomes."""

import base64
import json
from pathlib import Path

import pytest
import yaml
from model_harness import encoding
from model_harness_r.layout import HEADER
from model_harness_r.reader import read

CASES = yaml.safe_load(Path(__file__).with_name("results.yaml").read_text(encoding="utf-8"))


def serialized(case: dict) -> bytes:
    return HEADER + base64.b64decode(case["bytes"])


@pytest.mark.parametrize("case", CASES["results"], ids=lambda case: case["r"])
def test_a_result_becomes_json(case: dict) -> None:
    found = json.loads(encoding.encode(read(serialized(case))))
    assert found == case["json"]
    assert type(found) is type(case["json"])


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["r"])
def test_what_json_has_not_is_refused_by_name(case: dict) -> None:
    with pytest.raises(TypeError) as raised:
        read(serialized(case))
    assert case["message"] in str(raised.value)


def test_a_number_keeps_every_digit() -> None:
    assert read(serialized(CASES["results"][0])) == 22.638350924442673


def test_another_format_is_refused() -> None:
    with pytest.raises(TypeError, match="another format"):
        read(b"X\n" + serialized(CASES["results"][2])[2:])
