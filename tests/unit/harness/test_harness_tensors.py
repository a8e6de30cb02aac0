"""Input and output tensors, in binary and in JSON, with and without numpy."""

import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Rows
from model_harness.errors import RequestError
from model_harness.protocols import open_inference, tensor_metadata, tensor_results
from model_harness.protocols.encoders import RawBody
from model_harness.protocols.tensors import CODES, Tensor

MODEL: dict[str, object] = {"model_name": "m", "model_version": "v1"}


def infer(
    function: Callable[..., object], request: dict, binary: bytes = b""
) -> tuple[dict, bytes]:
    """Return the JSON of a response and the binary data after it."""
    head = json.dumps(request).encode()
    invocation, encoder = open_inference.arguments(
        head + binary, str(len(head)), Signature.of(function, "f"), MODEL
    )
    result: object
    if isinstance(invocation, Rows):
        result = [function(*positional, **named) for positional, named in invocation.calls]
    else:
        result = function(*invocation[0], **invocation[1])
    response = encoder.success(result, 0.0, "ABCDEFGHIJ012345")
    if not isinstance(response, RawBody):
        return json.loads(response), b""
    headers = dict(response.headers)
    assert headers["content-type"] == "application/octet-stream"
    length = int(headers["inference-header-content-length"])
    return json.loads(response.content[:length]), response.content[length:]


def tensor(name: str, shape: list[int], datatype: str, data: object = None, size: int = -1) -> dict:
    head: dict[str, object] = {"name": name, "shape": shape, "datatype": datatype}
    return head | ({"parameters": {"binary_data_size": size}} if size >= 0 else {"data": data})


def echo(value):
    return value


def echo_array(value: np.ndarray):
    return value


@pytest.mark.parametrize("datatype", CODES)
@pytest.mark.parametrize("function", [echo, echo_array])
def test_binary_tensor_of_every_datatype(datatype: str, function: Callable[..., object]) -> None:
    code = CODES[datatype]
    values = [True, False, True] if datatype == "BOOL" else [1, 0, 100]
    raw = struct.pack(f"<3{code}", *values)
    request = {
        "parameters": {"binary_data_output": True},
        "inputs": [tensor("value", [3], datatype, size=len(raw))],
    }
    response, binary = infer(function, request, raw)
    output = response["outputs"][0]
    assert output["parameters"]["binary_data_size"] == len(binary)
    elements = struct.unpack(f"<3{CODES[output['datatype']]}", binary)
    assert list(elements) == values
    if function is echo_array:
        assert (output["datatype"], binary) == (datatype, raw)


def test_binary_tensor_is_passed_as_array_without_copy() -> None:
    raw = struct.pack("<4f", 1, 2, 3, math.nan)
    arrays = []

    def record(value: np.ndarray):
        arrays.append(value)
        return value

    response, binary = infer(
        record,
        {
            "inputs": [tensor("value", [2, 2], "FP32", size=16)],
            "outputs": [{"name": "output-0", "parameters": {"binary_data": True}}],
        },
        raw,
    )
    assert (arrays[0].dtype, arrays[0].shape, arrays[0].base is not None) == (
        np.float32,
        (2, 2),
        True,
    )
    assert not arrays[0].flags.owndata
    assert (response["outputs"][0]["shape"], binary) == ([2, 2], raw)


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
def test_result_is_encoded_as_tensor(
    value: object, datatype: str, shape: list[int], data: list[object]
) -> None:
    encoded, raw = tensor_results.encode("o", value, binary=False)
    if isinstance(encoded["data"], np.ndarray):
        encoded["data"] = [None if item != item else item for item in encoded["data"].tolist()]  # noqa: PLR0124 - NaN
    if datatype == "FP64":
        encoded["data"] = [
            None if isinstance(item, float) and not math.isfinite(item) else item
            for item in encoded["data"]
        ]
    assert (encoded, raw) == (
        {"name": "o", "datatype": datatype, "shape": shape, "data": data},
        b"",
    )
    binary, raw = tensor_results.encode("o", value, binary=True)
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
        ["a", 1, None],
        2**70,
        -(2**70),
        1j,
    ],
)
def test_result_that_is_not_a_tensor_raises_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="the result "):
        tensor_results.encode("o", value, binary=False)


@pytest.mark.parametrize(
    "result",
    [
        {"name": ["a", "b"], "share": [0.5, 0.25]},
        pd.DataFrame({"name": ["a", "b"], "share": [0.5, 0.25]}),
    ],
    ids=["dict", "DataFrame"],
)
def test_named_values_become_outputs(result: object) -> None:
    def function(value: list):
        return result

    response, _ = infer(function, {"inputs": [tensor("value", [1], "FP64", [1])]})
    assert [(output["name"], output["data"]) for output in response["outputs"]] == [
        ("name", ["a", "b"]),
        ("share", [0.5, 0.25]),
    ]


class Renamed(msgspec.Struct, rename="camel"):
    of_x: float


def test_struct_has_renamed_outputs_as_in_metadata() -> None:
    def function(x: float) -> Renamed:
        return Renamed(x)

    metadata = tensor_metadata.describe(Signature.of(function, "f"), "m", "v1")
    response, _ = infer(function, {"inputs": [tensor("x", [2], "FP64", [1, 2])]})
    expected = {"name": "ofX", "datatype": "FP64"}
    assert metadata["outputs"] == [{**expected, "shape": [-1]}]
    assert response["outputs"] == [{**expected, "shape": [2], "data": [1, 2]}]


def test_dataclass_per_row_becomes_output_per_field() -> None:
    response, _ = infer(lambda x: Part("p", x), {"inputs": [tensor("x", [2], "FP64", [1, 2])]})
    assert [(output["name"], output["data"]) for output in response["outputs"]] == [
        ("name", ["p", "p"]),
        ("share", [1, 2]),
    ]


def test_tensors_are_passed_as_data_frame() -> None:
    def function(frame: pd.DataFrame):
        return frame["a"] + frame["b"]

    inputs = [tensor("a", [2], "FP32", [1, 2]), tensor("b", [2, 1], "INT8", [3, 4])]
    response, _ = infer(function, {"inputs": inputs})
    assert response["outputs"][0]["data"] == [4, 6]


class Sized(TypedDict):
    name: str
    size: float


@dataclass
class Counted:
    count: int
    is_exact: bool


class Checked(pydantic.BaseModel):
    names: list[str]
    value: float = 0.5


@pytest.mark.parametrize(
    ("return_hint", "result", "outputs"),
    [
        (Sized, {"name": "a", "size": 1.5}, [("name", "BYTES"), ("size", "FP64")]),
        (Counted, Counted(3, is_exact=True), [("count", "INT64"), ("is_exact", "BOOL")]),
        (Checked, Checked(names=["a"]), [("names", "BYTES"), ("value", "FP64")]),
        (int, 5, [("output-0", "INT64")]),
        (list[str], ["a", "b"], [("output-0", "BYTES")]),
    ],
)
def test_metadata_and_response_have_same_outputs(
    return_hint: type, result: object, outputs: list[tuple[str, str]]
) -> None:
    def function() -> object:
        return result

    function.__annotations__["return"] = return_hint
    metadata = tensor_metadata.describe(Signature.of(function, "f"), "m", "v1")["outputs"]
    response = infer(function, {"inputs": []})[0]["outputs"]
    assert isinstance(metadata, list)
    for actual in (metadata, response):
        assert [(output["name"], output["datatype"]) for output in actual] == outputs


@pytest.mark.parametrize("return_hint", [dict, dict[str, float], Mapping[str, int], pd.DataFrame])
def test_metadata_has_no_outputs_where_only_responses_have_names(return_hint: type) -> None:
    def function() -> object: ...

    function.__annotations__["return"] = return_hint
    assert tensor_metadata.describe(Signature.of(function, "f"), "m", "v1")["outputs"] == []


def test_tensor_of_one_element_is_a_value_for_function_of_columns() -> None:
    def function(value: np.ndarray, scale: float = 1.0):
        return value * scale

    inputs = [tensor("value", [2], "FP64", [1, 2]), tensor("scale", [1], "FP64", [10])]
    assert infer(function, {"inputs": inputs})[0]["outputs"][0]["data"] == [10, 20]
    inputs[1] = tensor("scale", [2], "FP64", [10, 10])
    with pytest.raises(RequestError, match="argument 'scale' takes one value"):
        infer(function, {"inputs": inputs})


def test_values_are_nested_by_shape() -> None:
    values = Tensor("t", "INT64", [2, 1, 2], [1, 2, 3, 4]).values()
    assert values == [[[1, 2]], [[3, 4]]]


def test_tensors_work_without_numpy(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('numpy is not installed')")
    program = """
import json, sys
from model_harness.protocols import open_inference
from model_harness.binding.signature import Signature
def double(x: list) -> list:
    return [2 * item for item in x]
x = {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
head = json.dumps({"inputs": [x]}).encode()
invocation, encoder = open_inference.arguments(
    head + bytes.fromhex("0000803f00000040"), str(len(head)), Signature.of(double, "f"), {}
)
print(encoder.success(double(**invocation[1]), 0, "").decode())
assert not {"numpy", "pandas", "pydantic", "msgspec"} & set(sys.modules)
"""
    harness = Path(open_inference.__file__).parents[2]
    completed = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{tmp_path}:{harness}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert completed.stderr == ""
    assert json.loads(completed.stdout)["outputs"][0]["data"] == [2, 4]
