"""What a function returned, as the output tensors of the Open Inference Protocol.

What has names (dicts, dataclasses, pydantic models, DataFrames) is an output for each; anything
else is `output-0`. numpy's arrays keep their datatype; other numbers are INT64 or FP64, text
is BYTES.
"""

import array
import dataclasses
import sys
from typing import TYPE_CHECKING, cast

from model_harness import encoding
from model_harness.tensors import CODES, LENGTH_BYTES, NAN

if TYPE_CHECKING:
    import numpy

UNNAMED_OUTPUT = "output-0"
# numpy has a second letter for integers of 64 bits.
_NUMPY_CODES = {code: name for name, code in CODES.items()} | {"l": "INT64", "L": "UINT64"}

Named = dict[str, object]


def named(result: object) -> Named:
    """Return a result's parts that have names, or the whole as the one output."""
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    if hasattr(type(result), "model_dump") and hasattr(type(result), "model_validate"):
        result = encoding.plain(result)
    if type(result).__name__ == "DataFrame" and type(result).__module__.startswith("pandas"):
        return {str(name): column for name, column in result.items()}  # type: ignore[attr-defined] # pandas, by name
    if isinstance(result, dict) and result:
        return {str(name): value for name, value in result.items()}
    return {UNNAMED_OUTPUT: result}


def by_row(results: object) -> Named:
    """Turn rows with the same names into an output for each name."""
    each = [named(result) for result in cast("list[object]", results)]
    if not each:
        return {UNNAMED_OUTPUT: []}
    if any(one.keys() != each[0].keys() for one in each):
        raise TypeError("the results of the rows are no tensors: they differ in their names")
    return {name: [one[name] for one in each] for name in each[0]}


def write(name: str, value: object, *, binary: bool) -> tuple[dict[str, object], bytes]:
    """Return an output's JSON and its bytes. Raises TypeError where the value is no tensor."""
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if _is_number(value):
        return _write_array(name, cast("numpy.ndarray", value), binary=binary)
    shape: list[int] = []
    flat: list[object] = []
    _walk(name, value, 0, shape, flat)
    datatype = _datatype(name, {type(one) for one in flat}, flat)
    tensor: dict[str, object] = {"name": name, "datatype": datatype, "shape": shape or [1]}
    if not binary:
        return {**tensor, "data": flat}, b""
    if datatype == "BYTES":
        texts = [str(one).encode() for one in flat]
        raw = b"".join(len(one).to_bytes(LENGTH_BYTES, "little") + one for one in texts)
    elif datatype == "BOOL":
        raw = bytes(cast("list[bool]", flat))
    else:
        numbers = [NAN if one is None else one for one in cast("list[float | None]", flat)]
        raw = array.array(CODES[datatype], numbers).tobytes()
    return {**tensor, "parameters": {"binary_data_size": len(raw)}}, raw


def _write_array(
    name: str, value: "numpy.ndarray", *, binary: bool
) -> tuple[dict[str, object], bytes]:
    """An array of numbers keeps its datatype."""
    found = sys.modules["numpy"]
    tensor = {
        "name": name,
        "datatype": _NUMPY_CODES[value.dtype.char],
        "shape": list(value.shape) or [1],
    }
    little = found.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    if not binary:
        return {**tensor, "data": little.reshape(-1)}, b""
    return {**tensor, "parameters": {"binary_data_size": little.nbytes}}, little.tobytes()


def _walk(name: str, value: object, depth: int, shape: list[int], flat: list[object]) -> None:
    """Collect what is in nested lists, and their sizes."""
    if type(value) not in _KNOWN:
        value = _plain(value)
    if isinstance(value, list | tuple):
        if not flat and depth == len(shape):
            shape.append(len(value))
        if depth >= len(shape) or shape[depth] != len(value):
            raise TypeError(f"the result is no tensor: {name} has lists of different lengths")
        for one in value:
            _walk(name, one, depth + 1, shape, flat)
    elif type(value) is dict:
        raise TypeError(f"the result is no tensor: {name} holds objects")
    elif depth != len(shape):
        raise TypeError(f"the result is no tensor: {name} has lists beside single values")
    else:
        flat.append(value)


_KNOWN = frozenset({bool, int, float, str, type(None), list, tuple, dict})


def _plain(value: object) -> object:
    if _is_number(value):
        return cast("numpy.ndarray", value).tolist()  # JSON would lose infinity
    return encoding.decode(encoding.encode(value))


def _is_number(value: object) -> bool:
    """Whether it is numpy's, one or an array of them."""
    dtype = getattr(value, "dtype", None)
    return type(value).__module__ == "numpy" and getattr(dtype, "char", "") in _NUMPY_CODES


def _datatype(name: str, kinds: set[type], flat: list[object]) -> str:
    if kinds and kinds <= {bool}:
        return "BOOL"
    if kinds and kinds <= {str}:
        return "BYTES"
    if kinds and kinds <= {int}:
        low, high = min(flat), max(flat)  # type: ignore[type-var] # all are int
        if low >= -(2**63) and high < 2**63:  # type: ignore[operator] # the same
            return "INT64"
        if low >= 0 and high < 2**64:  # type: ignore[operator] # the same
            return "UINT64"
        raise TypeError(f"the result is no tensor: {name} holds integers of more than 64 bits")
    if kinds <= {int, float, type(None)}:
        return "FP64"
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise TypeError(f"the result is no tensor: {name} mixes {names}")
