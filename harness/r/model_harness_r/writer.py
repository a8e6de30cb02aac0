"""JSON values to the bytes that R's `unserialize` makes arguments of.

| JSON | R |
|---|---|
| number | double, always: `110L * 30000000L` would be NA |
| array of numbers, of texts, or of booleans, with or without nulls | a vector; null is NA |
| any other array | a list: nothing is guessed (no data frame, no matrix) |
| object | a named list, also when it is empty |
| null | NULL |
"""

import struct
from collections.abc import Collection
from functools import lru_cache

from model_harness.errors import RefusedError

from model_harness_r.layout import (
    ASCII_TEXT,
    CHARACTER,
    DOUBLE,
    F64,
    HAS_ATTRIBUTES,
    HAS_TAG,
    HEADER,
    I32,
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
_ONE_DOUBLE = struct.Struct("<iid")
_ONE_TEXT = struct.Struct("<iiii")
_TWO = struct.Struct("<ii")
_NAMES = _TWO.pack(PAIRLIST | HAS_TAG, SYMBOL) + _TWO.pack(ASCII_TEXT, 5) + b"names"
_KINDS_OF_NUMBERS = frozenset({int, float})


def write(names: tuple[str, ...], values: Collection[object]) -> bytes:
    """Return one serialized list of arguments; the name of what has none is empty.

    Raises RefusedError(400) for what R cannot hold.
    """
    parts = [HEADER]
    try:
        _named(parts, names, values)
    except RecursionError:
        raise RefusedError(400, "the arguments are nested too deeply for R") from None
    return b"".join(parts)


def _value(parts: list[bytes], value: object) -> None:
    kind = type(value)
    if kind is float or kind is int:
        parts.append(_ONE_DOUBLE.pack(DOUBLE, 1, value))
    elif kind is str:
        text = _encoded(value)  # type: ignore[arg-type] # its kind is str
        flags = ASCII_TEXT if text.isascii() else UTF8_TEXT
        parts.append(_ONE_TEXT.pack(STRINGS, 1, flags, len(text)))
        parts.append(text)
    elif value is None:
        parts.append(_NULL)
    elif kind is bool:
        parts.append(_TRUE if value else _FALSE)
    elif isinstance(value, dict):
        _named(parts, tuple(value), value.values())
    elif isinstance(value, list):
        _array(parts, value)
    else:
        raise TypeError(f"a {kind.__qualname__} cannot be handed to R")


def _named(parts: list[bytes], names: tuple[str, ...], values: Collection[object]) -> None:
    parts.append(_TWO.pack(LIST | HAS_ATTRIBUTES, len(names)))
    for value in values:
        _value(parts, value)
    parts.append(_names(names))


def _array(parts: list[bytes], value: list[object]) -> None:
    kinds = set(map(type, value))
    kinds.discard(type(None))
    if kinds and kinds <= _KINDS_OF_NUMBERS:
        _doubles(parts, value)
    elif kinds == {str}:
        parts.append(_TWO.pack(STRINGS, len(value)))
        parts.extend(map(_text, value))
    elif kinds == {bool} or (value and not kinds):
        parts.append(_TWO.pack(LOGICAL, len(value)))
        parts.extend(I32.pack(NA_INTEGER if item is None else bool(item)) for item in value)
    else:
        parts.append(_TWO.pack(LIST, len(value)))
        for item in value:
            _value(parts, item)


def _doubles(parts: list[bytes], value: list[object]) -> None:
    parts.append(_TWO.pack(DOUBLE, len(value)))
    if None in value:
        parts.extend(NA_DOUBLE if item is None else F64.pack(item) for item in value)
    else:
        parts.append(struct.pack(f"<{len(value)}d", *value))


@lru_cache(maxsize=256)  # requests repeat their names
def _names(names: tuple[str, ...]) -> bytes:
    """Return the attribute that makes a list a named one, with the end of the attributes."""
    texts = map(_text, names)
    return _NAMES + _TWO.pack(STRINGS, len(names)) + b"".join(texts) + _NULL


def _text(value: object) -> bytes:
    if value is None:
        return _NA_TEXT
    text = _encoded(str(value))
    return _TWO.pack(ASCII_TEXT if text.isascii() else UTF8_TEXT, len(text)) + text


def _encoded(value: str) -> bytes:
    text = value.encode()
    if 0 in text:
        raise RefusedError(400, "a text holds the character NUL (\\u0000), which R cannot hold")
    return text
