"""JSON, one way: what a request may hold and what a result becomes.

| a result's | becomes |
|---|---|
| NaN, infinity, pandas' NA and NaT, wherever they are | null |
| numpy scalars and arrays, pandas Series, Index, Categorical | what their values are; arrays |
| pandas DataFrame | an array of row objects, without the index |
| dates and times, also numpy's and pandas' | ISO 8601 text |
| durations, also numpy's and pandas' | seconds |
| Decimal, UUID, Enum | text, exact; text; the value |
| dataclasses, pydantic models, TypedDicts, dicts with any plain keys | objects |
| tuples, also named ones | arrays |
| sets (no order), bytes (no text), complex, anything else | refused: 500, with its type |

numpy, pandas and pydantic are known by their names: the harness imports none of them.
"""

import datetime
import decimal
from collections.abc import Collection
from typing import TYPE_CHECKING, cast

import orjson

from model_harness.errors import RefusedError, shown

if TYPE_CHECKING:
    import numpy

_LENIENT = orjson.OPT_NON_STR_KEYS
_LARGEST_NUMBER_BYTES = 8  # that orjson knows
_MISSING = frozenset({"NAType", "NaTType"})


def decode(body: bytes | memoryview) -> object:
    """Raise RefusedError(400) with orjson's line and column where it is not JSON."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = f"is not JSON: {error}" if len(body) else "is empty"
        raise RefusedError(400, f"the body {what}") from None
    return value


def unknown_keys(found: Collection[str], known: Collection[str], what: str, use: str) -> list[str]:
    """Return a sentence for each key that nothing is done with."""
    extra = sorted(set(found).difference(known))
    return [f"{what} has an unknown key {shown(key)}; {use}" for key in extra]


def encode(value: object) -> bytes:
    """Return JSON. Raises TypeError that says what cannot be encoded.

    Keys that are not strings cost time to look for: they are looked for only when there is one.
    """
    try:
        return orjson.dumps(value, plain)
    except TypeError:
        pass
    try:
        return orjson.dumps(value, plain, _LENIENT)
    except TypeError:
        pass
    try:
        return orjson.dumps(_plain_keys(value), plain, _LENIENT)
    except TypeError as error:
        reason = error.__cause__ or error  # orjson hides what `plain` says behind its own text
        raise TypeError(f"the result cannot be encoded: {reason}") from None


def plain(value: object) -> object:
    """Turn what orjson does not know into something plainer. Raises TypeError where it cannot."""
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if root == "numpy" and hasattr(value, "dtype"):
        return _from_numpy(cast("numpy.ndarray", value))
    if root == "pandas":
        if kind.__name__ == "DataFrame":
            return value.to_dict(orient="records")  # type: ignore[attr-defined] # pandas, by name
        if kind.__name__ in _MISSING:
            return None
        for method in ("tolist", "isoformat"):
            if hasattr(value, method):
                plainer: object = getattr(value, method)()
                return plainer
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, decimal.Decimal):
        return str(value) if value.is_finite() else None
    if hasattr(kind, "model_dump") and hasattr(kind, "model_validate"):
        return value.model_dump()  # type: ignore[attr-defined] # pydantic's model, by its methods
    raise TypeError(f"a {kind.__module__}.{kind.__qualname__} is not JSON; return plain values")


def _from_numpy(value: "numpy.ndarray") -> object:
    """Arrays of numbers at orjson's speed; the rest by way of Python's own values.

    orjson takes dates, too, but makes a date of NaT.
    """
    kind = value.dtype.kind
    if type(value).__name__ == "ndarray" and kind in "biuf" and value.ndim and value.dtype.isnative:
        if value.flags.c_contiguous and value.itemsize <= _LARGEST_NUMBER_BYTES:
            return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
    elif kind in "mM":
        value = value.astype(f"{kind}8[us]")  # of nanoseconds, Python makes bare integers
    plainer: object = value.tolist()
    return float(value) if type(plainer) is type(value) else plainer  # long double gives itself


def _plain_keys(value: object) -> object:
    """Unwrap numpy's numbers where they are keys, as in dict(zip(*numpy.unique(..., True)))."""
    if isinstance(value, dict):
        return {
            key.item() if type(key).__module__ == "numpy" else key: _plain_keys(one)
            for key, one in value.items()
        }
    return [_plain_keys(one) for one in value] if isinstance(value, list) else value
