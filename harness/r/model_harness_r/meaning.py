"""What attributes make of R's vectors: the part of the rules that is about meaning, not bytes."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import cast

from model_harness_r.layout import LIST

_EPOCH = date(1970, 1, 1).toordinal()
_MATRIX_DIMENSIONS = 2

Vector = list[object]
Attributes = dict[str, Vector]


def no_json(what: str) -> str:
    """Return the sentence that refuses a result."""
    return f"the result cannot be encoded: {what} is not JSON; return plain values"


def dressed(values: Vector, kind: int, attributes: Attributes) -> object:
    """Give a vector the meaning that its attributes have."""
    classes = [str(name) for name in attributes.get("class", [])]
    kept = "AsIs" in classes
    if kept:
        classes.remove("AsIs")
    if "data.frame" in classes:
        return _rows(values, attributes)
    if classes:
        values = _of_class(values, classes, attributes)
    dimensions = attributes.get("dim", [])
    if len(dimensions) == _MATRIX_DIMENSIONS:
        rows = cast("int", dimensions[0])
        return [values[row::rows] for row in range(rows)]
    if len(dimensions) > _MATRIX_DIMENSIONS:
        raise TypeError(no_json(f"an array of {len(dimensions)} dimensions"))
    if kind == LIST:
        return _object(values, attributes["names"]) if "names" in attributes else values
    return values if kept or len(values) != 1 else values[0]


def _of_class(values: Vector, classes: list[str], attributes: Attributes) -> Vector:
    if "factor" in classes:
        labels = attributes["levels"]
        return [None if v is None else labels[cast("int", v) - 1] for v in values]
    if classes == ["Date"]:
        return [_moment(v, _day) for v in values]
    if classes == ["POSIXct", "POSIXt"]:
        return [_moment(v, _time) for v in values]
    raise TypeError(no_json(f"an object of class {'/'.join(classes)}"))


def _rows(columns: Vector, attributes: Attributes) -> object:
    names = [str(name) for name in attributes.get("names", [])]
    marks = attributes.get("row.names", [])
    compact = len(marks) == 2 and marks[0] is None  # noqa: PLR2004 - R's c(NA, -n) for 1 to n
    count = abs(cast("int", marks[1])) if compact else len(marks)
    if not names:
        return [{} for _ in range(count)]
    whole = [_column(column, count) for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*whole, strict=True)]


def _column(column: object, rows: int) -> Vector:
    """Return the cells; a vector of length 1 has come as its value, a list with names as a dict."""
    if isinstance(column, dict):
        return list(column.values())
    if isinstance(column, list) and len(column) == rows:
        return column
    return [column]


def _object(values: Vector, names: Vector) -> dict[str, object]:
    if "" in names or None in names:
        names = [name or str(position) for position, name in enumerate(names, 1)]
    return dict(zip((str(name) for name in names), values, strict=True))


def _moment(value: object, shown: Callable[[float], str]) -> str | None:
    number = math.nan if value is None else cast("float", value)
    if not math.isfinite(number):
        return None
    try:
        return shown(number)
    except (ValueError, OverflowError, OSError):
        raise TypeError("the result holds a time outside of the years 1 to 9999") from None


def _day(number: float) -> str:
    return date.fromordinal(_EPOCH + math.floor(number)).isoformat()


def _time(number: float) -> str:
    text = datetime.fromtimestamp(number, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
