"""Convert JSON to the arrays and tables of numpy and pandas.

Neither is imported: code that hints a numpy array has imported numpy.
"""

import sys
import types
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from model_harness.binding.conversion import JSON_NAMES, ConversionError, Converter

if TYPE_CHECKING:
    import numpy

_MAX_PADDING = 8  # how much larger an array or table may be than the values it is made of


def _to_array(value: object) -> object:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray):
        return value
    if type(value) is not list:
        raise ConversionError(("", f"must be an array, not {JSON_NAMES[type(value)]}"))
    leaf_types = _leaf_types(value)
    if str in leaf_types and leaf_types - {types.NoneType} != {str}:
        raise ConversionError(("", "must not mix strings with other values"))
    try:
        if leaf_types == {str}:
            return string_array(value)
        array = numpy.array(value)
        if array.dtype == object:  # null among numbers is NaN, as NaN becomes null in a result
            array = array.astype(float)
    except (TypeError, ValueError):
        message = "must be an array of numbers, true and false, or strings, of one shape"
        raise ConversionError(("", message)) from None
    return array


def _leaf_types(value: list[object]) -> set[type]:
    """Return the types of the values in nested lists."""
    leaf_types = set(map(type, value))
    if list in leaf_types:
        leaf_types.discard(list)
        for item in value:
            if type(item) is list:
                leaf_types |= _leaf_types(item)
    return leaf_types


def string_array(value: list[object]) -> "numpy.ndarray":
    """Return an array of nested lists of strings. Raise ValueError for different lengths.

    numpy pads each string to the longest: 4,000 strings, one of 40,000 characters, take 640 MB.
    Where padding would take much more memory than the strings, the array has objects.
    """
    np = sys.modules["numpy"]
    lengths = [len(leaf) for leaf in _leaves(value)]
    padded = len(lengths) * max(lengths, default=0)
    is_wasteful = padded > _MAX_PADDING * (sum(lengths) + len(lengths))
    array: numpy.ndarray = np.array(value, dtype=object if is_wasteful else None)
    if list in set(map(type, array.ravel().tolist())):
        raise ValueError("the lists differ in length")
    return array


def _leaves(value: list[object]) -> Iterator[str]:
    """Yield the strings in nested lists, from left to right."""
    for item in value:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield cast("str", item)


def _to_series(value: object) -> object:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.Series):
        return value
    if type(value) in JSON_NAMES and type(value) is not list:
        raise ConversionError(("", f"must be an array, not {JSON_NAMES[type(value)]}"))
    shape: tuple[int, ...] = getattr(value, "shape", ())
    if len(shape) == 2 and shape[1] == 1:  # noqa: PLR2004 - a tensor with one column
        value = value.reshape(-1)  # type: ignore[attr-defined] # numpy.ndarray
    try:
        return pandas.Series(value)  # of a list, or of a tensor's array without a copy
    except ValueError:
        raise ConversionError(("", f"must have one dimension, not shape {shape}")) from None


def _to_frame(value: object) -> object:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        return value
    if type(value) not in {list, dict}:
        raise ConversionError(("", f"must be rows or columns, not {JSON_NAMES[type(value)]}"))
    if type(value) is list and _is_sparse(value):
        raise ConversionError(("", "has rows with too many different names"))
    try:
        return pandas.DataFrame(value)
    except (TypeError, ValueError) as error:
        raise ConversionError(("", f"is not a table: {error}")) from None


def _is_sparse(rows: list[object]) -> bool:
    """Return whether a table of the rows would be much larger than the rows."""
    names: set[object] = set()
    cells = 0
    for row in rows:
        if type(row) is dict:
            names.update(row)
            cells += len(row)
    return len(rows) * len(names) > _MAX_PADDING * (cells + len(rows) + len(names))


_CONVERTERS: dict[str, Converter] = {
    "numpy.ndarray": _to_array,
    "numpy.array": _to_array,  # a function, but a common slip
    "pandas.Series": _to_series,
    "pandas.DataFrame": _to_frame,
}


def converter(source: object) -> Converter | None:
    """Return the converter of a class of numpy or pandas; None for any other hint."""
    origin = typing.get_origin(source) or source
    package = str(getattr(origin, "__module__", "")).partition(".")[0]
    return _CONVERTERS.get(f"{package}.{getattr(origin, '__name__', '')}")


def is_frame(source: object) -> bool:
    """Return whether the hint is a whole table."""
    return converter(source) is _to_frame
