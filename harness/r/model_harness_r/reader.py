"""What R's `serialize` wrote, as values that become JSON.

| R | JSON |
|---|---|
| vector of length 1, named or not | the value alone; `I(x)` keeps the array |
| longer vector, list without names | array; names of a vector are dropped (predict's "1", "2") |
| list with names | object; of a name given twice the last counts; a missing name is its position |
| NULL; NA of every type | null (NaN and infinity become null when the JSON is written) |
| factor | its labels |
| Date, POSIXct | "2026-11-22", "2026-11-22T08:30:00.000Z" |
| data frame | array of objects, one a row; NA stays as null, row names are dropped |
| matrix | array of rows |

Everything else (models, functions, environments, difftime, complex numbers, ...) is refused with
its name: a guess would be found out only by a client.
"""

import struct
from collections.abc import Callable

from model_harness_r.layout import (
    BYTES_BIT,
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
    NA_INTEGER,
    NULL,
    PAIRLIST,
    POINTER,
    REFERENCE,
    STRINGS,
    SYMBOL,
    TYPE_MASK,
)
from model_harness_r.meaning import Attributes, Vector, dressed, no_json

_START = len(HEADER)
_REFUSED = {
    3: "a function",
    4: "an environment",
    5: "a promise",
    6: "a call or a formula",
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


def read(data: bytes) -> object:
    """Return the value. Raises TypeError where it is none that JSON has."""
    if data[_START : _START + 8] == _ONE_DOUBLE and len(data) == _START + 16:
        return F64.unpack_from(data, _START + 8)[0]  # what most models return
    if data[: len(_FORMAT)] != _FORMAT:
        raise TypeError("R answered in another format than its serialization, version 2")
    return _Reader(data).value()


_ONE_DOUBLE = struct.pack("<ii", DOUBLE, 1)
_FORMAT = HEADER[:6]  # the writer's own version follows


class _Reader:
    """Goes through the bytes once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = _START
        self._symbols: list[str] = []

    def value(self) -> object:
        flags = self._integer()
        if flags == NULL:
            return None
        values = self._vector(flags & TYPE_MASK, self.value)
        if flags & HAS_ATTRIBUTES:
            return dressed(values, flags & TYPE_MASK, self._attributes())
        return values[0] if len(values) == 1 and flags & TYPE_MASK != LIST else values

    def _plain(self) -> Vector:
        """Return an attribute's values, whatever attributes it has itself."""
        flags = self._integer()
        if flags == NULL:
            return []
        if flags & TYPE_MASK == POINTER:  # a data.table carries one to itself
            self._symbols.append("")  # pointers and symbols are counted together
            self._plain(), self._plain()  # what it keeps alive, and its tag
            values: Vector = []
        else:
            values = self._vector(flags & TYPE_MASK, self._plain)
        if flags & HAS_ATTRIBUTES:
            self._attributes()
        return values

    def _vector(self, kind: int, item: Callable[[], object]) -> Vector:
        if kind in _REFUSED:
            raise TypeError(no_json(_REFUSED[kind]))
        count = self._integer()
        if kind == DOUBLE:
            return list(self._numbers(count, "d", 8))
        if kind == INTEGER:
            values = self._numbers(count, "i", 4)
            return [None if v == NA_INTEGER else v for v in values]
        if kind == LOGICAL:
            values = self._numbers(count, "i", 4)
            return [None if v == NA_INTEGER else v != 0 for v in values]
        if kind == STRINGS:
            return [self._text() for _ in range(count)]
        if kind == LIST:
            return [item() for _ in range(count)]
        raise TypeError(no_json(f"a value of R's type {kind}"))

    def _attributes(self) -> Attributes:
        found: Attributes = {}
        while (flags := self._integer()) != NULL:
            if flags & TYPE_MASK != PAIRLIST or not flags & HAS_TAG:
                raise TypeError("R answered with attributes that cannot be read")
            name = self._symbol()
            found[name] = self._plain()
        return found

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
            raise TypeError("R answered with a text that cannot be read")
        if length < 0:
            return None
        start = self._at
        self._at += length
        text = self._data[start : self._at]
        if flags & LATIN1_BIT:
            return text.decode("latin1")
        try:
            if not flags & BYTES_BIT:
                return text.decode()
        except UnicodeDecodeError:
            pass
        raise TypeError("the result holds a text that is not UTF-8; use iconv() or enc2utf8()")

    def _integer(self) -> int:
        at = self._at
        self._at = at + 4
        number: int = I32.unpack_from(self._data, at)[0]
        return number

    def _numbers(self, count: int, letter: str, size: int) -> tuple[float, ...]:
        at = self._at
        self._at = at + count * size
        return struct.unpack_from(f"<{count}{letter}", self._data, at)
