"""The tensors of the Open Inference Protocol: JSON or little-endian bytes, and Python's values.

Works without numpy; with it, arrays are views of the request's bytes, so they cannot be written to.

| datatype | value | rule |
|---|---|---|
| BOOL, INT8-64, UINT8-64 | bool, int | |
| FP16, FP32, FP64 | float | in JSON null is NaN, and NaN and infinity become null |
| BYTES | str | UTF-8; what is not text is sent as base64 |
| BF16 | | refused: no type of Python's or numpy's holds it |
"""

import math
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from model_harness import encoding
from model_harness.errors import RefusedError, shown

if TYPE_CHECKING:
    import numpy

# How `struct` and numpy call the elements.
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
_MOST_DIMENSIONS = 16
Named = dict[str, object]
LENGTH_BYTES = 4  # before each element of a BYTES tensor
NAN = float("nan")


@dataclass(frozen=True)
class Tensor:
    """One input. Its data has as many elements as its shape says, each of its datatype."""

    name: str
    datatype: str
    shape: list[int]
    data: list[object] | memoryview

    def values(self) -> list[object]:
        """Return nested lists; of one dimension, a list of single values."""
        flat = self.data
        if isinstance(flat, memoryview):
            code = CODES[self.datatype]
            flat = list(struct.unpack(f"<{math.prod(self.shape)}{code}", flat))
        for size in reversed(self.shape[1:]):
            flat = [flat[start : start + size] for start in range(0, len(flat), size)]
        return flat

    def array(self) -> "numpy.ndarray":
        """Return numpy's array; only for those whose code has imported numpy."""
        found = sys.modules["numpy"]
        code = CODES.get(self.datatype)
        if isinstance(self.data, memoryview):
            flat = found.frombuffer(self.data, f"<{code}")
        else:
            flat = found.array(self.data, code or "U")
        shaped: numpy.ndarray = flat.reshape(self.shape)
        return shaped


def read(given: object, binary: memoryview) -> list[Tensor]:
    """Return a request's inputs. Raises RefusedError(400).

    `binary` is what follows the JSON: the inputs' data one after the other.
    """
    if type(given) is not list:
        raise RefusedError(400, "inputs is not an array of tensors")
    tensors = []
    for number, one in enumerate(given):
        try:
            tensor, size = _read_one(one, binary)
        except RefusedError as error:
            found = one.get("name") if type(one) is dict else None
            name = f" ({shown(found)})" if type(found) is str else ""
            where = f"inputs[{number}]{name}"
            raise RefusedError(400, *(f"{where}: {text}" for text in error.errors)) from None
        binary = binary[size:]
        tensors.append(tensor)
    if len(binary):
        raise RefusedError(400, f"{len(binary)} bytes follow the last tensor")
    names = [tensor.name for tensor in tensors]
    if len(set(names)) < len(names):
        raise RefusedError(400, "two inputs have the same name")
    return tensors


def optional(one: Named, key: str) -> Named:
    """Return an object that may be left out, or null, as some clients write it."""
    value = one.get(key)
    if value is None:
        return {}
    if type(value) is not dict:
        raise RefusedError(400, f"{key} is not an object")
    return value


def _read_one(one: object, binary: memoryview) -> tuple[Tensor, int]:
    if type(one) is not dict:
        raise RefusedError(400, "is not an object")
    name, datatype, shape, parameters = _head(one)
    size = parameters.get("binary_data_size")
    if size is None:
        data = _from_json(one.get("data"), datatype, shape)
        return Tensor(name, datatype, shape, data), 0
    if "data" in one:
        raise RefusedError(400, "has both data and binary_data_size")
    if type(size) is not int or not 0 <= size <= len(binary):
        message = f"binary_data_size is not a size within the {len(binary)} bytes left"
        raise RefusedError(400, message)
    return Tensor(name, datatype, shape, _from_binary(binary[:size], datatype, shape)), size


def _head(one: Named) -> tuple[str, str, list[int], Named]:
    """Return name, datatype, shape and parameters."""
    name, datatype, shape = one.get("name"), one.get("datatype"), one.get("shape")
    parameters = optional(one, "parameters")
    errors = encoding.unknown_keys(
        one, {"name", "datatype", "shape", "parameters", "data"}, "it", "see the protocol"
    )
    if type(name) is not str:
        errors.append("name is not a string")
    if type(datatype) is not str or datatype not in {*CODES, "BYTES"}:
        found = shown(datatype) if type(datatype) is str else "missing"
        errors.append(f"datatype is {found}; it may be {', '.join(CODES)} or BYTES")
    if not _is_shape(shape):
        errors.append(
            f"shape is not an array of 1 to {_MOST_DIMENSIONS} sizes; only the first may be 0"
        )
    if errors:
        raise RefusedError(400, *errors)
    return cast("tuple[str, str, list[int], Named]", (name, datatype, shape, parameters))


def _is_shape(shape: object) -> bool:
    return (
        type(shape) is list
        and 1 <= len(shape) <= _MOST_DIMENSIONS
        and all(type(size) is int and size >= (number > 0) for number, size in enumerate(shape))
    )


def _from_json(data: object, datatype: str, shape: list[int]) -> list[object]:
    if type(data) is not list:
        raise RefusedError(400, "data is not an array, and there is no binary_data_size")
    if not any(type(one) is list for one in data):
        flat, whole = data, math.prod(shape)
    else:
        flat, whole = _flattened(data, shape), math.prod(shape)
    if len(flat) != whole:
        raise RefusedError(400, f"data has {len(flat)} elements; the shape says {whole}")
    if datatype in _FLOATS:
        fits = all(type(one) in _NUMBERS for one in flat)
    else:
        kind = {"BOOL": bool, "BYTES": str}.get(datatype, int)
        fits = all(type(one) is kind for one in flat)
    if not fits:
        raise RefusedError(400, f"data holds what is no {datatype}")
    if datatype in _FLOATS:
        flat = [NAN if one is None else float(one) for one in flat]
    if datatype in CODES:
        try:
            struct.pack(f"<{len(flat)}{CODES[datatype]}", *flat)
        except (struct.error, OverflowError):
            raise RefusedError(400, f"data holds a number outside of {datatype}") from None
    return flat


def _flattened(data: list[object], shape: list[int]) -> list[object]:
    level, fits = data, len(data) == shape[0]
    for size in shape[1:]:
        fits = fits and all(type(one) is list and len(one) == size for one in level)
        if fits:
            level = [leaf for one in cast("list[list[object]]", level) for leaf in one]
    if not fits:
        raise RefusedError(400, "the nesting of data is not that of the shape")
    return level


def _from_binary(raw: memoryview, datatype: str, shape: list[int]) -> list[object] | memoryview:
    count = math.prod(shape)
    if datatype in CODES:
        wanted = count * struct.calcsize(f"<{CODES[datatype]}")
        if len(raw) != wanted:
            raise RefusedError(400, f"has {len(raw)} bytes; datatype and shape say {wanted}")
        return raw
    texts: list[object] = []
    place = 0
    while place < len(raw):
        start = place + LENGTH_BYTES
        place = start + int.from_bytes(raw[place:start], "little")
        if place > len(raw):
            raise RefusedError(400, "its last element is cut short")
        try:
            texts.append(str(raw[start:place], "utf-8"))
        except UnicodeDecodeError:
            message = f"element {len(texts)} is not UTF-8; send what is not text as base64"
            raise RefusedError(400, message) from None
    if len(texts) != count:
        raise RefusedError(400, f"has {len(texts)} elements; the shape says {count}")
    return texts
