"""Tensors in and out, as bytes and as JSON, with and without numpy."""

import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import pydantic
import pytest
from model_harness import open_inference, tensor_metadata, tensor_results
from model_harness.errors import RefusedError
from model_harness.exchange import Content
from model_harness.rows import Rows
from model_harness.signature import Signature
from model_harness.tensors import CODES, Tensor

MODEL: dict[str, object] = {"model_name": "m", "model_version": "v1"}


def infer(
    function: Callable[..., object], request: dict, binary: bytes = b""
) -> tuple[dict, bytes]:
    """The JSON of an answer and what is behind it."""
    head = json.dumps(request).encode()
    invocation, encoder = open_inference.arguments(
        head + binary, str(len(head)), Signature.of(function, "f"), MODEL
    )
    result: object
    if isinstance(invocation, Rows):
        result = [function(*positional, **named) for positional, named in invocation.calls]
    else:
        result = function(*invocation[0], **invocation[1])
    answer = encoder.success(result, 0.0, "ABCDEFGHIJ012345")
    if not isinstance(answer, Content):
        return json.loads(answer), b""
    headers = dict(answer.headers)
    assert headers["content-type"] == "application/octet-stream"
    length = int(headers["inference-header-content-length"])
    return json.loads(answer.body[:length]), answer.body[length:]


def tensor(name: str, shape: list[int], datatype: str, data: object = None, size: int = -1) -> dict:
    one: dict[str, object] = {"name": name, "shape": shape, "datatype": datatype}
    return one | ({"parameters": {"binary_data_size": size}} if size >= 0 else {"data": data})


def echo(value):
    return value


def whole(value: np.ndarray):
    return value


@pytest.mark.parametrize("datatype", CODES)
@pytest.mark.parametrize("function", [echo, whole])
def test_every_datatype_comes_and_goes_in_binary(
    datatype: str, function: Callable[..., object]
) -> None:
    code = CODES[datatype]
    values = [True, False, True] if datatype == "BOOL" else [1, 0, 100]
    raw = struct.pack(f"<3{code}", *values)
    request = {
        "parameters": {"binary_data_output": True},
        "inputs": [tensor("value", [3], datatype, size=len(raw))],
    }
    answer, binary = infer(function, request, raw)
    output = answer["outputs"][0]
    assert output["parameters"]["binary_data_size"] == len(binary)
    found = struct.unpack(f"<3{CODES[output['datatype']]}", binary)
    assert list(found) == values
    if function is whole:
        assert (output["datatype"], binary) == (datatype, raw)


def test_a_binary_tensor_reaches_a_function_of_arrays_without_a_copy() -> None:
    raw = struct.pack("<4f", 1, 2, 3, math.nan)
    seen = []

    def keep(value: np.ndarray):
        seen.append(value)
        return value

    answer, binary = infer(
        keep,
        {
            "inputs": [tensor("value", [2, 2], "FP32", size=16)],
            "outputs": [{"name": "output-0", "parameters": {"binary_data": True}}],
        },
        raw,
    )
    assert (seen[0].dtype, seen[0].shape, seen[0].base is not None) == (np.float32, (2, 2), True)
    assert not seen[0].flags.owndata
    assert (answer["outputs"][0]["shape"], binary) == ([2, 2], raw)


@dataclass
class Part:
    name: str
    share: float


@pytest.mark.parametrize(
    ("value", "datatype", "shape", "data"),
    [
        (1, "INT64", [1], [1]),
        (2**63, "UINT64", [1], [2**63]),
        ([1, 2.5], "FP64", [2], [1, 2.5]),
        ([1.5, None, math.inf], "FP64", [3], [1.5, None, None]),
        ([[True], [False]], "BOOL", [2, 1], [True, False]),
        (("a", "ä"), "BYTES", [2], ["a", "ä"]),
        ([], "FP64", [0], []),
        (None, "FP64", [1], [None]),
        (np.float32(1.5), "FP32", [1], [1.5]),
        ([np.float32(1.5), 2], "FP64", [2], [1.5, 2]),
        (np.array([[1, 2], [3, 4]], dtype=np.int8).T, "INT8", [2, 2], [1, 3, 2, 4]),
        (np.array([1, 2], dtype=">i4"), "INT32", [2], [1, 2]),
        (np.array([np.nan, 1], dtype=np.float16), "FP16", [2], [None, 1]),
        (np.array(["a", "b"]), "BYTES", [2], ["a", "b"]),
        (
            np.array(["2026-01-01", "NaT"], dtype="datetime64[D]")[:1],
            "BYTES",
            [1],
            ["2026-01-01T00:00:00"],
        ),
        (pd.Series([1, 2], dtype="int32"), "INT32", [2], [1, 2]),
        (pd.Series([1, None], dtype="Int64"), "FP64", [2], [1, None]),
        (pd.Series(["a", "b"]), "BYTES", [2], ["a", "b"]),
    ],
)
def test_what_a_result_is_as_a_tensor(
    value: object, datatype: str, shape: list[int], data: list[object]
) -> None:
    written, raw = tensor_results.write("o", value, binary=False)
    if isinstance(written["data"], np.ndarray):
        written["data"] = [None if one != one else one for one in written["data"].tolist()]  # noqa: PLR0124 - NaN
    if datatype == "FP64":
        written["data"] = [
            None if isinstance(one, float) and not math.isfinite(one) else one
            for one in written["data"]
        ]
    assert (written, raw) == (
        {"name": "o", "datatype": datatype, "shape": shape, "data": data},
        b"",
    )
    binary, raw = tensor_results.write("o", value, binary=True)
    assert binary["parameters"] == {"binary_data_size": len(raw)}


@pytest.mark.parametrize(
    "value",
    [
        [[1], [2, 3]],
        [1, [2]],
        [[1], 2],
        [{"a": 1}],
        [1, "a"],
        [True, 1],
        ["a", None],
        2**70,
        -(2**70),
        1j,
    ],
)
def test_what_is_no_tensor_says_so(value: object) -> None:
    with pytest.raises(TypeError, match="the result "):
        tensor_results.write("o", value, binary=False)


@pytest.mark.parametrize(
    "result",
    [
        {"name": ["a", "b"], "share": [0.5, 0.25]},
        pd.DataFrame({"name": ["a", "b"], "share": [0.5, 0.25]}),
    ],
    ids=["dict", "DataFrame"],
)
def test_what_has_names_is_an_output_for_each(result: object) -> None:
    def function(value: list):
        return result

    answer, _ = infer(function, {"inputs": [tensor("value", [1], "FP64", [1])]})
    assert [(one["name"], one["data"]) for one in answer["outputs"]] == [
        ("name", ["a", "b"]),
        ("share", [0.5, 0.25]),
    ]


def test_the_rows_of_dataclasses_are_an_output_for_each_field() -> None:
    answer, _ = infer(lambda x: Part("p", x), {"inputs": [tensor("x", [2], "FP64", [1, 2])]})
    assert [(one["name"], one["data"]) for one in answer["outputs"]] == [
        ("name", ["p", "p"]),
        ("share", [1, 2]),
    ]


def test_a_frame_is_made_of_tensors() -> None:
    def function(frame: pd.DataFrame):
        return frame["a"] + frame["b"]

    inputs = [tensor("a", [2], "FP32", [1, 2]), tensor("b", [2, 1], "INT8", [3, 4])]
    answer, _ = infer(function, {"inputs": inputs})
    assert answer["outputs"][0]["data"] == [4, 6]


class Sized(TypedDict):
    name: str
    size: float


@dataclass
class Counted:
    count: int
    found: bool


class Checked(pydantic.BaseModel):
    names: list[str]
    value: float = 0.5


@pytest.mark.parametrize(
    ("returned", "result", "outputs"),
    [
        (Sized, {"name": "a", "size": 1.5}, [("name", "BYTES"), ("size", "FP64")]),
        (Counted, Counted(3, found=True), [("count", "INT64"), ("found", "BOOL")]),
        (Checked, Checked(names=["a"]), [("names", "BYTES"), ("value", "FP64")]),
        (int, 5, [("output-0", "INT64")]),
        (list[str], ["a", "b"], [("output-0", "BYTES")]),
    ],
)
def test_metadata_and_answers_have_the_same_outputs(
    returned: type, result: object, outputs: list[tuple[str, str]]
) -> None:
    def function() -> object:
        return result

    function.__annotations__["return"] = returned
    described = tensor_metadata.describe(Signature.of(function, "f"), "m", "v1")["outputs"]
    answered = infer(function, {"inputs": []})[0]["outputs"]
    assert isinstance(described, list)
    for found in (described, answered):
        assert [(one["name"], one["datatype"]) for one in found] == outputs


@pytest.mark.parametrize("returned", [dict, dict[str, float], Mapping[str, int], pd.DataFrame])
def test_metadata_names_no_output_that_only_an_answer_can_name(returned: type) -> None:
    def function() -> object: ...

    function.__annotations__["return"] = returned
    assert tensor_metadata.describe(Signature.of(function, "f"), "m", "v1")["outputs"] == []


def test_beside_whole_columns_a_tensor_of_one_element_is_a_value() -> None:
    def function(value: np.ndarray, scale: float = 1.0):
        return value * scale

    inputs = [tensor("value", [2], "FP64", [1, 2]), tensor("scale", [1], "FP64", [10])]
    assert infer(function, {"inputs": inputs})[0]["outputs"][0]["data"] == [10, 20]
    inputs[1] = tensor("scale", [2], "FP64", [10, 10])
    with pytest.raises(RefusedError, match="argument 'scale' takes one value"):
        infer(function, {"inputs": inputs})


def test_values_are_nested_as_the_shape_says() -> None:
    found = Tensor("t", "INT64", [2, 1, 2], [1, 2, 3, 4]).values()
    assert found == [[[1, 2]], [[3, 4]]]


def test_without_numpy_tensors_work_just_as_well(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('there is no numpy here')")
    program = """
import json, sys
from model_harness import open_inference
from model_harness.signature import Signature
def double(x: list) -> list:
    return [2 * one for one in x]
x = {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
head = json.dumps({"inputs": [x]}).encode()
invocation, encoder = open_inference.arguments(
    head + bytes.fromhex("0000803f00000040"), str(len(head)), Signature.of(double, "f"), {}
)
print(encoder.success(double(**invocation[1]), 0, "").decode())
assert not {"numpy", "pandas", "pydantic", "msgspec"} & set(sys.modules)
"""
    harness = Path(open_inference.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{tmp_path}:{harness}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)["outputs"][0]["data"] == [2, 4]
