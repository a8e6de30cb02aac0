"""Serialize JSON values as arguments for `unserialize` of R.

| JSON | R |
|---|---|
| number | double, always: `110L * 30000000L` would be NA |
| array of numbers, of strings, or of booleans, with or without nulls | a vector; null is NA |
| array of objects with the same names and only scalars or nulls | a data frame, see below |
| any other array | a list, never a matrix |
| object | a named list, also where it is empty |
| null | NULL |

The cells of a column become a vector like an array, with two differences: null is NA also where the
types are mixed (a list), and only nulls are numbers (NA_real_), as `predict` expects of most
columns.
"""

import struct
from collections.abc import Collection
from enum import Enum
from functools import lru_cache
from typing import cast

from model_harness.errors import RequestError

from model_harness_r.serialization.sexp_types import (
    ASCII_TEXT,
    CHARACTER,
    DOUBLE,
    F64,
    HAS_ATTRIBUTES,
    HAS_TAG,
    HEADER,
    I32,
    INTEGER,
    IS_OBJECT,
    LIST,
    LOGICAL,
    NA_DOUBLE,
    NA_INTEGER,
    NULL,
    PAIRLIST,
    STRINGS,
    SYMBOL,
    UTF8_TEXT,
)

_NULL = I32.pack(NULL)
_NA_TEXT = struct.pack("<ii", CHARACTER, -1)
_TRUE, _FALSE = (struct.pack("<iii", LOGICAL, 1, value) for value in (1, 0))
_DOUBLE_SCALAR = struct.Struct("<iid")
_STRING_SCALAR = struct.Struct("<iiii")
_INT_PAIR = struct.Struct("<ii")
_NUMBER_TYPES = frozenset({int, float})
_SCALAR_TYPES = frozenset({int, float, str, bool, type(None)})


def _tag(name: bytes) -> bytes:
    """Return the begin of an attribute; its value follows."""
    symbol = _INT_PAIR.pack(ASCII_TEXT, len(name)) + name
    return _INT_PAIR.pack(PAIRLIST | HAS_TAG, SYMBOL) + symbol


_NAMES_TAG = _tag(b"names")
_FRAME_CLASS = (
    _tag(b"class")
    + _INT_PAIR.pack(STRINGS, 1)
    + _INT_PAIR.pack(ASCII_TEXT, len(b"data.frame"))
    + b"data.frame"
)
_ROW_NAMES = _tag(b"row.names") + _INT_PAIR.pack(INTEGER, 2)

_MAX_CACHED_NAMES = 64
_MAX_CACHED_CHARACTERS = 1024
"""Clients choose names at any depth: without these limits, they could fill the cache."""


class NA(Enum):
    """A missing cell of a table: NA by the type of its column. The value is what R reads."""

    NUMBER = _INT_PAIR.pack(DOUBLE, 1) + NA_DOUBLE
    TEXT = _INT_PAIR.pack(STRINGS, 1) + _NA_TEXT
    LOGICAL = struct.pack("<iii", LOGICAL, 1, NA_INTEGER)


def na_of_column(kind: type) -> NA:
    """Return NA for a column by the kind of its other cells, see `null_cells`."""
    if kind is float or kind is type(None):
        return NA.NUMBER
    return NA.TEXT if kind is str else NA.LOGICAL


def serialize(names: tuple[str, ...], values: Collection[object]) -> bytes:
    """Return a serialized list of arguments; the name of an unnamed argument is empty.

    Raise RequestError(400) for values that R cannot hold.
    """
    parts = [HEADER]
    try:
        _append_named_list(parts, names, values)
    except RecursionError:
        raise RequestError(400, "the arguments are nested too deeply for R") from None
    return b"".join(parts)


def _append_value(parts: list[bytes], value: object) -> None:
    value_type = type(value)
    if value_type is float or value_type is int:
        parts.append(_DOUBLE_SCALAR.pack(DOUBLE, 1, value))
    elif value_type is str:
        text = _encode_text(value)  # type: ignore[arg-type] # checked above
        flags = ASCII_TEXT if text.isascii() else UTF8_TEXT
        parts.append(_STRING_SCALAR.pack(STRINGS, 1, flags, len(text)))
        parts.append(text)
    elif value is None:
        parts.append(_NULL)
    elif value_type is bool:
        parts.append(_TRUE if value else _FALSE)
    elif isinstance(value, dict):
        _append_named_list(parts, tuple(value), value.values())
    elif isinstance(value, list):
        _append_array(parts, value)
    elif isinstance(value, NA):
        parts.append(value.value)
    else:
        raise TypeError(f"a {value_type.__qualname__} cannot be passed to R")


def _append_named_list(
    parts: list[bytes], names: tuple[str, ...], values: Collection[object]
) -> None:
    parts.append(_INT_PAIR.pack(LIST | HAS_ATTRIBUTES, len(names)))
    for value in values:
        _append_value(parts, value)
    parts.append(_names_attribute(names))


def _append_array(parts: list[bytes], value: list[object]) -> None:
    types = set(map(type, value))
    types.discard(type(None))
    if types and types <= _NUMBER_TYPES:
        _append_doubles(parts, value)
    elif types == {str}:
        parts.append(_INT_PAIR.pack(STRINGS, len(value)))
        parts.extend(map(_string, value))
    elif types == {bool} or (value and not types):
        parts.append(_INT_PAIR.pack(LOGICAL, len(value)))
        parts.extend(I32.pack(NA_INTEGER if item is None else bool(item)) for item in value)
    elif types == {dict} and _is_table(value):
        _append_data_frame(parts, cast("list[dict[str, object]]", value))
    else:
        parts.append(_INT_PAIR.pack(LIST, len(value)))
        for item in value:
            _append_value(parts, item)


def _is_table(rows: list[object]) -> bool:
    first = rows[0]
    return isinstance(first, dict) and all(
        isinstance(row, dict)
        and row.keys() == first.keys()
        and _SCALAR_TYPES.issuperset(map(type, row.values()))
        for row in rows
    )


def _append_data_frame(parts: list[bytes], rows: list[dict[str, object]]) -> None:
    names = tuple(rows[0])
    parts.append(_INT_PAIR.pack(LIST | IS_OBJECT | HAS_ATTRIBUTES, len(names)))
    for name in names:
        _append_column(parts, [row[name] for row in rows])
    # R's short form of the row names 1 to n
    row_names = _ROW_NAMES + _INT_PAIR.pack(NA_INTEGER, -len(rows))
    parts.append(_FRAME_CLASS + row_names + _names_attribute(names))


def _append_column(parts: list[bytes], cells: list[object]) -> None:
    types = set(map(type, cells))
    types.discard(type(None))
    if types <= _NUMBER_TYPES:
        _append_doubles(parts, cells)
    elif len(types) == 1:
        _append_array(parts, cells)
    else:
        parts.append(_INT_PAIR.pack(LIST, len(cells)))
        for cell in cells:
            _append_value(parts, NA.LOGICAL if cell is None else cell)


def _append_doubles(parts: list[bytes], value: list[object]) -> None:
    parts.append(_INT_PAIR.pack(DOUBLE, len(value)))
    if None in value:
        parts.extend(NA_DOUBLE if item is None else F64.pack(item) for item in value)
    else:
        parts.append(struct.pack(f"<{len(value)}d", *value))


def _names_attribute(names: tuple[str, ...]) -> bytes:
    """Return the names attribute of a list, with the end of the attributes."""
    is_small = len(names) <= _MAX_CACHED_NAMES and sum(map(len, names)) <= _MAX_CACHED_CHARACTERS
    return _cached_names(names) if is_small else _names(names)


@lru_cache(maxsize=256)  # requests repeat the same names
def _cached_names(names: tuple[str, ...]) -> bytes:
    return _names(names)


def _names(names: tuple[str, ...]) -> bytes:
    strings = map(_string, names)
    return _NAMES_TAG + _INT_PAIR.pack(STRINGS, len(names)) + b"".join(strings) + _NULL


def _string(value: object) -> bytes:
    if value is None:
        return _NA_TEXT
    text = _encode_text(str(value))
    return _INT_PAIR.pack(ASCII_TEXT if text.isascii() else UTF8_TEXT, len(text)) + text


def _encode_text(value: str) -> bytes:
    text = value.encode()
    if 0 in text:
        raise RequestError(400, "a string has the character NUL (\\u0000), which R cannot hold")
    return text
