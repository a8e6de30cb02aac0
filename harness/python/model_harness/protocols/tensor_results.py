"""Encode the result of a function as output tensors of the Open Inference Protocol.

Named values (dicts, dataclasses, pydantic models, DataFrames) become one output each, anything else
becomes `output-0`. Arrays of numpy keep their datatype; other numbers are INT64 or FP64, text is
BYTES.
"""

import array
import dataclasses
import sys
from typing import TYPE_CHECKING, cast

from model_harness.binding.table_binding import NamedValues
from model_harness.protocols import json_encoding
from model_harness.protocols.tensors import CODES, LENGTH_BYTES, NAN

if TYPE_CHECKING:
    import numpy

UNNAMED_OUTPUT = "output-0"
_WITH_NAN = frozenset({"FP32", "FP64"})
# numpy has a second code for integers of 64 bits.
_NUMPY_CODES = {code: name for name, code in CODES.items()} | {"l": "INT64", "L": "UINT64"}


def by_name(result: object) -> NamedValues:
    """Return the named values of a result, or the result as the single output."""
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    if hasattr(type(result), "model_dump") and hasattr(type(result), "model_validate"):
        result = json_encoding.model_fields(result)
    if hasattr(type(result), "__struct_fields__"):
        result = json_encoding.struct_fields(result)
    if json_encoding.library_class(type(result)) == ("pandas", "DataFrame"):
        json_encoding.check_unique_columns(result)
        return {str(name): column for name, column in result.items()}  # type: ignore[attr-defined] # pandas.DataFrame
    if isinstance(result, dict) and result:
        return {str(name): value for name, value in result.items()}
    return {UNNAMED_OUTPUT: result}


def by_row(results: object) -> NamedValues:
    """Return one output per name for the results of rows, which have the same names."""
    rows = [by_name(result) for result in cast("list[object]", results)]
    if not rows:
        return {UNNAMED_OUTPUT: []}
    if any(row.keys() != rows[0].keys() for row in rows):
        raise TypeError("the results of the rows are not tensors: their names differ")
    return {name: [row[name] for row in rows] for name in rows[0]}


def encode(name: str, value: object, *, binary: bool) -> tuple[dict[str, object], bytes]:
    """Return the JSON and the bytes of an output. Raise TypeError where it is not a tensor."""
    if json_encoding.library_class(type(value))[0] == "pandas" and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if _is_numpy_number(value):
        return _encode_array(name, cast("numpy.ndarray", value), binary=binary)
    shape: list[int] = []
    flat: list[object] = []
    _flatten(name, value, 0, shape, flat)
    datatype = _datatype(name, {type(item) for item in flat}, flat)
    tensor: dict[str, object] = {"name": name, "datatype": datatype, "shape": shape or [1]}
    if not binary:
        return {**tensor, "data": flat}, b""
    if datatype not in _WITH_NAN and None in flat:
        raise TypeError(f"{name} has missing values, which have no binary form in {datatype}")
    if datatype == "BYTES":
        texts = [str(item).encode() for item in flat]
        raw = b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in texts)
    elif datatype == "BOOL":
        raw = bytes(cast("list[bool]", flat))
    else:
        numbers = [NAN if item is None else item for item in cast("list[float | None]", flat)]
        raw = array.array(CODES[datatype], numbers).tobytes()
    return {**tensor, "parameters": {"binary_data_size": len(raw)}}, raw


def _encode_array(
    name: str, value: "numpy.ndarray", *, binary: bool
) -> tuple[dict[str, object], bytes]:
    """Encode an array of numbers without changing its datatype."""
    np = sys.modules["numpy"]
    tensor = {
        "name": name,
        "datatype": _NUMPY_CODES[value.dtype.char],
        "shape": list(value.shape) or [1],
    }
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    if not binary:
        return {**tensor, "data": little.reshape(-1)}, b""
    return {**tensor, "parameters": {"binary_data_size": little.nbytes}}, little.tobytes()


def _flatten(name: str, value: object, depth: int, shape: list[int], flat: list[object]) -> None:
    """Append the values of nested lists to `flat` and their sizes to `shape`."""
    if type(value) not in _JSON_TYPES:
        value = _to_json_type(value)
    if isinstance(value, list | tuple):
        if not flat and depth == len(shape):
            shape.append(len(value))
        if depth >= len(shape) or shape[depth] != len(value):
            raise TypeError(f"the result is not a tensor: {name} has lists of different lengths")
        for item in value:
            _flatten(name, item, depth + 1, shape, flat)
    elif type(value) is dict:
        raise TypeError(f"the result is not a tensor: {name} holds objects")
    elif depth != len(shape):
        raise TypeError(f"the result is not a tensor: {name} mixes lists and single values")
    else:
        flat.append(value)


_JSON_TYPES = frozenset({bool, int, float, str, type(None), list, tuple, dict})


def _to_json_type(value: object) -> object:
    if _is_numpy_number(value):
        return cast("numpy.ndarray", value).tolist()  # JSON has no infinity
    return json_encoding.decode(json_encoding.encode(value))


def _is_numpy_number(value: object) -> bool:
    """Return whether it is a number of numpy or an array of them."""
    dtype = getattr(value, "dtype", None)
    return type(value).__module__ == "numpy" and getattr(dtype, "char", "") in _NUMPY_CODES


def _datatype(name: str, types: set[type], flat: list[object]) -> str:
    if bool in types and types <= {bool, type(None)}:
        return "BOOL"
    if str in types and types <= {str, type(None)}:
        return "BYTES"
    if types and types <= {int}:
        low, high = min(flat), max(flat)  # type: ignore[type-var] # all are int
        if low >= -(2**63) and high < 2**63:  # type: ignore[operator] # the same
            return "INT64"
        if low >= 0 and high < 2**64:  # type: ignore[operator] # the same
            return "UINT64"
        raise TypeError(f"the result is not a tensor: {name} holds integers of more than 64 bits")
    if types <= {int, float, type(None)}:
        return "FP64"
    names = ", ".join(sorted(t.__name__ for t in types))
    raise TypeError(f"the result is not a tensor: {name} mixes {names}")
