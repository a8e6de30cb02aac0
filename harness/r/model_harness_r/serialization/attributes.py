"""Convert R vectors with attributes (classes, dimensions, names) to Python values."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import cast

from model_harness_r.serialization.sexp_types import LIST

_EPOCH = date(1970, 1, 1).toordinal()
_MATRIX_DIMENSIONS = 2
_UNIT_SECONDS = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800}

Vector = list[object]
Attributes = dict[str, Vector]


def not_json(subject: str) -> str:
    """Return the error message for a result that is not JSON."""
    return f"the result cannot be encoded: {subject} is not JSON; return plain values"


def apply_attributes(values: Vector, sexp_type: int, attributes: Attributes) -> object:
    """Return the value of a vector with attributes."""
    classes = [str(name) for name in attributes.get("class", [])]
    is_as_is = "AsIs" in classes
    if is_as_is:
        classes.remove("AsIs")
    if "data.frame" in classes:
        return _data_frame_rows(values, attributes)
    if "table" in classes:
        return _table_counts(values, attributes)
    if classes:
        values = _apply_class(values, classes, attributes)
    dimensions = attributes.get("dim", [])
    if len(dimensions) == _MATRIX_DIMENSIONS:
        rows = cast("int", dimensions[0])
        return [values[row::rows] for row in range(rows)]
    if len(dimensions) > _MATRIX_DIMENSIONS:
        raise TypeError(not_json(f"an array of {len(dimensions)} dimensions"))
    if sexp_type == LIST:
        return _named_list(values, attributes["names"]) if "names" in attributes else values
    return values if is_as_is or len(values) != 1 else values[0]


def _apply_class(values: Vector, classes: list[str], attributes: Attributes) -> Vector:
    if "factor" in classes:
        labels = attributes["levels"]
        return [None if v is None else labels[cast("int", v) - 1] for v in values]
    if "ts" in classes:  # also of several series: a matrix
        return values
    if "difftime" in classes:
        return _seconds(values, attributes.get("units", []))
    if classes == ["Date"]:
        return [_format_time(v, _date_text) for v in values]
    if classes == ["POSIXct", "POSIXt"]:
        return [_format_time(v, _datetime_text) for v in values]
    raise TypeError(not_json(f"an object of class {'/'.join(classes)}"))


def _seconds(values: Vector, units: Vector) -> Vector:
    factor = _UNIT_SECONDS.get(str(units[0])) if len(units) == 1 else None
    if factor is None:
        raise TypeError(not_json("a difftime without units"))
    return [None if v is None else cast("float", v) * factor for v in values]


def _table_counts(values: Vector, attributes: Attributes) -> object:
    """Return an object for one dimension with names, and else an array for each dimension.

    The result of `summary` for numbers is such a table without dimensions.
    """
    dimensions = cast("list[int]", attributes.get("dim", [len(values)]))
    if len(dimensions) > 1:
        return _nested(values, dimensions)
    levels = cast("list[Vector]", attributes.get("dimnames", []))
    names = levels[0] if levels else attributes.get("names", [])
    if len(names) != len(values):
        return values
    return dict(zip(("NA" if n is None else str(n) for n in names), values, strict=True))


def _nested(values: Vector, dimensions: list[int]) -> Vector:
    """Return nested arrays; the first dimension varies fastest in R, and is the outermost here."""
    if len(dimensions) == 1:
        return values
    size = dimensions[0]
    return [_nested(values[index::size], dimensions[1:]) for index in range(size)]


def _data_frame_rows(columns: Vector, attributes: Attributes) -> object:
    names = [str(name) for name in attributes.get("names", [])]
    row_names = attributes.get("row.names", [])
    is_compact = len(row_names) == 2 and row_names[0] is None  # noqa: PLR2004 - R's c(NA, -n) for 1 to n
    count = abs(cast("int", row_names[1])) if is_compact else len(row_names)
    if not names:
        return [{} for _ in range(count)]
    cells = [_column(column, count) for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]


def _column(column: object, rows: int) -> Vector:
    """Return the cells. A vector of length 1 was read as its value, a named list as a dict."""
    if isinstance(column, dict):
        return list(column.values())
    if isinstance(column, list) and len(column) == rows:
        return column
    return [column]


def _named_list(values: Vector, names: Vector) -> dict[str, object]:
    if "" in names or None in names:
        names = [name or str(position) for position, name in enumerate(names, 1)]
    return dict(zip((str(name) for name in names), values, strict=True))


def _format_time(value: object, to_text: Callable[[float], str]) -> str | None:
    number = math.nan if value is None else cast("float", value)
    if not math.isfinite(number):
        return None
    try:
        return to_text(number)
    except (ValueError, OverflowError, OSError):
        raise TypeError("the result has a time outside the years 1 to 9999") from None


def _date_text(number: float) -> str:
    return date.fromordinal(_EPOCH + math.floor(number)).isoformat()


def _datetime_text(number: float) -> str:
    text = datetime.fromtimestamp(number, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
