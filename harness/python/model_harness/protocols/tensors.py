"""Decode the tensors of the Open Inference Protocol from JSON or little-endian bytes.

Works without numpy. With it, arrays are read-only views of the bytes of the request.

| datatype | value | rule |
|---|---|---|
| BOOL, INT8-64, UINT8-64 | bool, int | |
| FP16, FP32, FP64 | float | in JSON null is NaN, and NaN and infinity become null |
| BYTES | str | UTF-8; send binary data as base64 |
| BF16 | | not supported: neither Python nor numpy has the type |
"""

import math
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from model_harness.binding.array_hints import string_array
from model_harness.binding.table_binding import NamedValues
from model_harness.errors import RequestError, truncate
from model_harness.protocols import json_encoding

if TYPE_CHECKING:
    import numpy

# The type codes of `struct` and numpy.
CODES = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
_DATATYPES = {code: datatype for datatype, code in CODES.items()}
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_NUMBERS = frozenset({float, int, type(None)})
_MAX_DIMENSIONS = 16
LENGTH_BYTES = 4  # before each element of a BYTES tensor
NAN = float("nan")


@dataclass(frozen=True)
class Tensor:
    """One input. Its data matches its shape and its datatype."""

    name: str
    datatype: str
    shape: list[int]
    data: list[object] | memoryview

    def values(self) -> list[object]:
        """Return nested lists; for one dimension, a list of values."""
        flat = self.data
        if isinstance(flat, memoryview):
            code = CODES[self.datatype]
            flat = list(struct.unpack(f"<{math.prod(self.shape)}{code}", flat))
        for size in reversed(self.shape[1:]):
            flat = [flat[start : start + size] for start in range(0, len(flat), size)]
        return flat

    def array(self) -> "numpy.ndarray":
        """Return an array. Call this only where the code of the user has imported numpy."""
        np = sys.modules["numpy"]
        code = CODES.get(self.datatype)
        if isinstance(self.data, memoryview):
            flat = np.frombuffer(self.data, f"<{code}")
        elif code is None:
            flat = string_array(self.data)
        else:
            flat = np.array(self.data, code)
        shaped: numpy.ndarray = flat.reshape(self.shape)
        return shaped


def decode_all(inputs: object, binary: memoryview) -> list[Tensor]:
    """Return the inputs of a request. Raise RequestError(400).

    `binary` is the data of the inputs that follows the JSON.
    """
    if type(inputs) is not list:
        raise RequestError(400, "inputs is not an array of tensors")
    tensors = []
    for number, source in enumerate(inputs):
        try:
            tensor, size = _decode(source, binary)
        except RequestError as error:
            name = source.get("name") if type(source) is dict else None
            suffix = f" ({truncate(name)})" if type(name) is str else ""
            where = f"inputs[{number}]{suffix}"
            raise RequestError(400, *(f"{where}: {text}" for text in error.errors)) from None
        binary = binary[size:]
        tensors.append(tensor)
    if len(binary):
        raise RequestError(400, f"{len(binary)} bytes follow the last tensor")
    names = [tensor.name for tensor in tensors]
    if len(set(names)) < len(names):
        raise RequestError(400, "two inputs have the same name")
    return tensors


def optional_object(source: NamedValues, key: str) -> NamedValues:
    """Return the object under a key; empty where it is absent or null, as some clients send it."""
    value = source.get(key)
    if value is None:
        return {}
    if type(value) is not dict:
        raise RequestError(400, f"{key} is not an object")
    return value


def _decode(source: object, binary: memoryview) -> tuple[Tensor, int]:
    if type(source) is not dict:
        raise RequestError(400, "is not an object")
    name, datatype, shape, parameters = _decode_head(source)
    size = parameters.get("binary_data_size")
    if size is None:
        data = _from_json(source.get("data"), datatype, shape)
        return Tensor(name, datatype, shape, data), 0
    if "data" in source:
        raise RequestError(400, "has both data and binary_data_size")
    if type(size) is not int or not 0 <= size <= len(binary):
        message = f"binary_data_size is not a size within the {len(binary)} remaining bytes"
        raise RequestError(400, message)
    return Tensor(name, datatype, shape, _from_binary(binary[:size], datatype, shape)), size


def _decode_head(source: NamedValues) -> tuple[str, str, list[int], NamedValues]:
    """Return name, datatype, shape and parameters."""
    name, datatype, shape = source.get("name"), source.get("datatype"), source.get("shape")
    parameters = optional_object(source, "parameters")
    errors = json_encoding.unknown_keys(
        source, {"name", "datatype", "shape", "parameters", "data"}, "it", "see the protocol"
    )
    if type(name) is not str:
        errors.append("name is not a string")
    if type(datatype) is not str or datatype not in {*CODES, "BYTES"}:
        actual = truncate(datatype) if type(datatype) is str else "missing"
        errors.append(f"datatype is {actual}; use {', '.join(CODES)} or BYTES")
    if not _is_shape(shape):
        errors.append(
            f"shape is not an array of 1 to {_MAX_DIMENSIONS} sizes; only the first may be 0"
        )
    if errors:
        raise RequestError(400, *errors)
    return cast("tuple[str, str, list[int], NamedValues]", (name, datatype, shape, parameters))


def _is_shape(shape: object) -> bool:
    return (
        type(shape) is list
        and 1 <= len(shape) <= _MAX_DIMENSIONS
        and all(type(size) is int and size >= (number > 0) for number, size in enumerate(shape))
    )


def _from_json(data: object, datatype: str, shape: list[int]) -> list[object]:
    if type(data) is not list:
        raise RequestError(400, "data is not an array, and binary_data_size is missing")
    flat = data
    if any(type(item) is list for item in data):
        flat = _flatten(data, shape)
    count = math.prod(shape)
    if len(flat) != count:
        raise RequestError(400, f"data has {len(flat)} elements; the shape has {count}")
    if datatype in _FLOATS:
        matches = all(type(item) in _NUMBERS for item in flat)
    else:
        element_type = {"BOOL": bool, "BYTES": str}.get(datatype, int)
        matches = all(type(item) is element_type for item in flat)
    if not matches:
        raise RequestError(400, f"data has elements that are not {datatype}")
    if datatype in _FLOATS:
        flat = [NAN if item is None else float(item) for item in flat]
    if datatype in CODES:
        try:
            struct.pack(f"<{len(flat)}{CODES[datatype]}", *flat)
        except (struct.error, OverflowError):
            raise RequestError(400, f"data has a number outside the range of {datatype}") from None
    return flat


def _flatten(data: list[object], shape: list[int]) -> list[object]:
    level, matches = data, len(data) == shape[0]
    for size in shape[1:]:
        matches = matches and all(type(item) is list and len(item) == size for item in level)
        if matches:
            level = [leaf for items in cast("list[list[object]]", level) for leaf in items]
    if not matches:
        raise RequestError(400, "the nesting of data does not match the shape")
    return level


def _from_binary(raw: memoryview, datatype: str, shape: list[int]) -> list[object] | memoryview:
    count = math.prod(shape)
    if datatype in CODES:
        size = count * struct.calcsize(f"<{CODES[datatype]}")
        if len(raw) != size:
            raise RequestError(400, f"has {len(raw)} bytes; datatype and shape require {size}")
        return raw
    texts: list[object] = []
    position = 0
    while position < len(raw):
        start = position + LENGTH_BYTES
        position = start + int.from_bytes(raw[position:start], "little")
        if position > len(raw):
            raise RequestError(400, "the last element is truncated")
        try:
            texts.append(str(raw[start:position], "utf-8"))
        except UnicodeDecodeError:
            message = f"element {len(texts)} is not UTF-8; send binary data as base64"
            raise RequestError(400, message) from None
    if len(texts) != count:
        raise RequestError(400, f"has {len(texts)} elements; the shape has {count}")
    return texts
