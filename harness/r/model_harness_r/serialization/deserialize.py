"""Deserialize what `serialize` of R wrote, to values that can be encoded as JSON.

| R | JSON |
|---|---|
| vector of length 1, with or without names | the single value; `I(x)` keeps the array |
| longer vector, list without names | array; names of a vector are dropped ("1", "2" of predict) |
| list with names | object; the last of duplicate names wins; a missing name is its position |
| NULL; NA of every type | null (NaN and infinity become null when the JSON is written) |
| factor | its labels |
| Date, POSIXct | "2026-11-22", "2026-11-22T08:30:00.000Z" |
| data frame | array of objects, one per row; NA is null, row names are dropped |
| matrix | array of rows |
| time series (ts) | its numbers; several series: array of rows |
| difftime | seconds |
| table with one dimension | object: the counts by name |
| table with more dimensions | nested arrays, as a matrix |

Everything else (models, functions, environments, complex numbers, ...) is an error that
names the type: a wrong guess would be noticed by a client alone.
"""

import struct
from collections.abc import Callable

from model_harness_r.serialization.attributes import Attributes, Vector, apply_attributes, not_json
from model_harness_r.serialization.sexp_types import (
    BYTES_BIT,
    CALL,
    CHARACTER,
    DOUBLE,
    F64,
    HAS_ATTRIBUTES,
    HAS_TAG,
    HEADER,
    I32,
    INTEGER,
    LATIN1_BIT,
    LIST,
    LOGICAL,
    MISSING_ARGUMENT,
    NA_INTEGER,
    NULL,
    PAIRLIST,
    POINTER,
    REFERENCE,
    STRINGS,
    SYMBOL,
    TYPE_MASK,
)

_START = len(HEADER)
_NOT_JSON = {
    3: "a function",
    4: "an environment",
    5: "a promise",
    CALL: "a call or a formula",
    7: "a function",
    8: "a function",
    15: "a complex number",
    20: "an expression",
    POINTER: "an external pointer",
    23: "a weak reference",
    24: "raw bytes",
    25: "an S4 object",
    SYMBOL: "a symbol",
    PAIRLIST: "a pairlist",
    253: "an environment",
    242: "an environment",
    241: "an environment",
    249: "an environment",
    250: "an environment",
}


def deserialize(data: bytes) -> object:
    """Return the value. Raise TypeError where it is not JSON."""
    if data[_START : _START + 8] == _ONE_DOUBLE and len(data) == _START + 16:
        return F64.unpack_from(data, _START + 8)[0]  # the fast path: most models return one number
    if data[: len(_FORMAT)] != _FORMAT:
        raise TypeError("the answer of R is not in serialization format version 2")
    return _Deserializer(data).value()


_ONE_DOUBLE = struct.pack("<ii", DOUBLE, 1)
_FORMAT = HEADER[:6]  # the version of R follows


class _Deserializer:
    """Reads the bytes once, in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = _START
        self._symbols: list[str] = []

    def value(self) -> object:
        flags = self._integer()
        if flags == NULL:
            return None
        values = self._vector(flags & TYPE_MASK, self.value)
        if flags & HAS_ATTRIBUTES:
            return apply_attributes(values, flags & TYPE_MASK, self._attributes())
        return values[0] if len(values) == 1 and flags & TYPE_MASK != LIST else values

    def _attribute_values(self) -> Vector:
        """Return the values of an attribute and skip the attributes of the attribute."""
        flags = self._integer()
        sexp_type = flags & TYPE_MASK
        if flags in {NULL, MISSING_ARGUMENT} or sexp_type == REFERENCE:
            return []
        if sexp_type == SYMBOL:
            self._symbols.append(str(self._text()))
            return []
        if sexp_type in {CALL, PAIRLIST}:
            self._skip_call(flags)
            return []
        if sexp_type == POINTER:  # a data.table has one to itself
            self._symbols.append("")  # pointers and symbols share one table
            self._attribute_values(), self._attribute_values()  # its protected value and its tag
            values: Vector = []
        else:
            values = self._vector(sexp_type, self._attribute_values)
        if flags & HAS_ATTRIBUTES:
            self._attributes()
        return values

    def _skip_call(self, flags: int) -> None:
        """Skip the call that created the value; the result of `xtabs` has one."""
        while flags & TYPE_MASK in {CALL, PAIRLIST}:
            if flags & HAS_ATTRIBUTES:
                self._attributes()
            if flags & HAS_TAG:
                self._symbol()
            self._attribute_values()
            flags = self._integer()

    def _vector(self, sexp_type: int, item: Callable[[], object]) -> Vector:
        if sexp_type in _NOT_JSON:
            raise TypeError(not_json(_NOT_JSON[sexp_type]))
        count = self._integer()
        if sexp_type == DOUBLE:
            return list(self._numbers(count, "d", 8))
        if sexp_type == INTEGER:
            values = self._numbers(count, "i", 4)
            return [None if v == NA_INTEGER else v for v in values]
        if sexp_type == LOGICAL:
            values = self._numbers(count, "i", 4)
            return [None if v == NA_INTEGER else v != 0 for v in values]
        if sexp_type == STRINGS:
            return [self._text() for _ in range(count)]
        if sexp_type == LIST:
            return [item() for _ in range(count)]
        raise TypeError(not_json(f"a value of SEXPTYPE {sexp_type}"))

    def _attributes(self) -> Attributes:
        attributes: Attributes = {}
        while (flags := self._integer()) != NULL:
            if flags & TYPE_MASK != PAIRLIST or not flags & HAS_TAG:
                raise TypeError("the answer of R has unreadable attributes")
            name = self._symbol()
            attributes[name] = self._attribute_values()
        return attributes

    def _symbol(self) -> str:
        flags = self._integer()
        if flags & TYPE_MASK == REFERENCE:
            return self._symbols[(flags >> 8) - 1]
        name = str(self._text())
        self._symbols.append(name)
        return name

    def _text(self) -> str | None:
        flags, length = self._integer(), self._integer()
        if flags & TYPE_MASK != CHARACTER:
            raise TypeError("the answer of R has an unreadable text")
        if length < 0:
            return None
        start = self._offset
        self._offset += length
        text = self._data[start : self._offset]
        if flags & LATIN1_BIT:
            return text.decode("latin1")
        try:
            if not flags & BYTES_BIT:
                return text.decode()
        except UnicodeDecodeError:
            pass
        raise TypeError("the result has a text that is not UTF-8; use iconv() or enc2utf8()")

    def _integer(self) -> int:
        offset = self._offset
        self._offset = offset + 4
        number: int = I32.unpack_from(self._data, offset)[0]
        return number

    def _numbers(self, count: int, code: str, size: int) -> tuple[float, ...]:
        offset = self._offset
        self._offset = offset + count * size
        return struct.unpack_from(f"<{count}{code}", self._data, offset)
