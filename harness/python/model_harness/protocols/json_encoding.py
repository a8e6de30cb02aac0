"""Decode JSON requests and encode results as JSON.

| a result's | becomes |
|---|---|
| NaN, infinity, pandas' NA and NaT, at any depth | null |
| numpy scalars and arrays, pandas Series, Index, Categorical | their values; arrays |
| pandas DataFrame | an array of row objects, without the index |
| dates and times, also of numpy and pandas | ISO 8601 text; a time zone offset with seconds: UTC |
| durations, also of numpy and pandas | seconds |
| Decimal, UUID, Enum | exact text; text; the value |
| dataclasses, Structs of msgspec, TypedDicts, dicts with any plain keys | objects |
| pydantic models | objects; a field that is none of these: by pydantic's JSON mode |
| tuples, also named tuples | arrays |
| sets (no order), bytes (no text), complex, anything else | 500 with the name of the type |

numpy, pandas and pydantic are recognized by name: the harness imports none of them.
"""

import datetime
import decimal
import json
import re
import sys
from collections.abc import Collection, Coroutine
from typing import TYPE_CHECKING, cast

import orjson

from model_harness.errors import RequestError, first_errors, truncate

if TYPE_CHECKING:
    import numpy

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME  # orjson rounds offsets with seconds to minutes
_ANY_KEYS = _OPTIONS | orjson.OPT_NON_STR_KEYS
_MAX_NUMBER_BYTES = 8  # supported by orjson
_LONG_NUMBER = re.compile(rb"[0-9]{19}")  # may be an integer over 64 bits
_MAX_INTEGER_DIGITS = 20
_LEAST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1
_MINUTE = datetime.timedelta(minutes=1)
_FIRST_YEAR = 1970  # of numpy
_MISSING_VALUES = frozenset({"NAType", "NaTType"})


def decode(body: bytes | memoryview) -> object:
    """Return the decoded JSON. Raise RequestError(400) with line and column where it is invalid."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = f"is not JSON: {error}" if len(body) else "is empty"
        raise RequestError(400, f"the body {problem}") from None
    if _LONG_NUMBER.search(body):
        _check_integers(body)
    return value


def _check_integers(body: bytes | memoryview) -> None:
    """Raise RequestError(400) for integers over 64 bits, which orjson turns into floats."""
    json.loads(bytes(body), parse_int=_check_integer, parse_float=str, parse_constant=str)


def _check_integer(digits: str) -> None:
    is_long = len(digits) > _MAX_INTEGER_DIGITS
    if is_long or not _LEAST_INTEGER <= int(digits) <= _LARGEST_INTEGER:
        message = f"the body has the integer {truncate(digits)}; integers have at most 64 bits"
        raise RequestError(400, message)


def unknown_keys(
    keys: Collection[str], allowed: Collection[str], subject: str, usage: str
) -> list[str]:
    """Return an error for each key that is not allowed."""
    extra = [key for key in keys if key not in allowed]
    return first_errors(extra, lambda key: f"{subject} has an unknown key {truncate(key)}; {usage}")


def encode(value: object) -> bytes:
    """Return JSON. Raise TypeError that names what cannot be encoded.

    Keys that are not strings are slow: orjson handles them only after the fast path failed.
    """
    try:
        return orjson.dumps(value, plain, _OPTIONS)
    except TypeError:
        pass
    try:
        return orjson.dumps(value, plain, _ANY_KEYS)
    except TypeError:
        pass
    try:
        return orjson.dumps(_plain_keys(value), plain, _ANY_KEYS)
    except TypeError as error:
        reason = error.__cause__ or error  # orjson wraps the error of `plain`
        raise TypeError(f"the result cannot be encoded: {reason}") from None
    except RecursionError:
        raise TypeError("the result cannot be encoded: it is nested too deeply") from None


def plain(value: object) -> object:
    """Convert a value that orjson does not support. Raise TypeError where that is impossible."""
    value_type = type(value)
    if isinstance(value, datetime.date | datetime.time):
        return _iso_text(value)
    package, name = library_class(value_type)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if package == "numpy" and hasattr(value, "dtype"):
        return _from_numpy(cast("numpy.ndarray", value))
    if package == "pandas":
        if name == "DataFrame":
            check_unique_columns(value)
            return value.to_dict(orient="records")  # type: ignore[attr-defined] # pandas.DataFrame
        if name in _MISSING_VALUES:
            return None
        for method in ("tolist", "isoformat"):
            if hasattr(value, method):
                converted: object = getattr(value, method)()
                return converted
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, decimal.Decimal):
        return str(value) if value.is_finite() else None
    return _from_class(value)


def _from_class(value: object) -> object:
    """Convert an object of pydantic or msgspec. Raise TypeError for any other."""
    value_type = type(value)
    if hasattr(value_type, "model_dump") and hasattr(value_type, "model_validate"):
        fields = value.model_dump()  # type: ignore[attr-defined] # pydantic.BaseModel
        encoded = _encode_or_none(fields)
        # a fragment: the outer call would encode the fields again
        return _by_json_mode(value, fields) if encoded is None else orjson.Fragment(encoded)
    if hasattr(value_type, "__struct_fields__"):
        return struct_fields(value)
    if isinstance(value, Coroutine):
        value.close()  # otherwise Python warns that it was never awaited
        raise TypeError(
            "the function returned a coroutine: a decorator hides its `async def`; "
            "make the wrapper `async def`, too, and await the function in it"
        )
    full_name = f"{value_type.__module__}.{value_type.__qualname__}"
    raise TypeError(f"a {full_name} is not JSON; return plain values")


def _iso_text(value: datetime.date | datetime.time) -> str | None:
    """Return ISO 8601 text. It has no offsets with seconds, so these become UTC."""
    if isinstance(value, datetime.datetime):
        if type(value).__name__ in _MISSING_VALUES:
            return None
        offset = value.utcoffset()
        if offset is not None and offset % _MINUTE:
            return value.astimezone(datetime.UTC).isoformat()
    elif isinstance(value, datetime.time):
        offset = value.utcoffset()
        if offset is not None and offset % _MINUTE:
            raise TypeError(f"the time {value} has an offset with seconds; return a datetime")
    return value.isoformat()


def model_fields(value: object) -> object:
    """Convert a pydantic model; the fields that are not JSON by pydantic's JSON mode."""
    fields = value.model_dump()  # type: ignore[attr-defined] # pydantic.BaseModel
    return _by_json_mode(value, fields) if _encode_or_none(fields) is None else fields


def _by_json_mode(value: object, fields: object) -> object:
    """Convert the fields that are not JSON.

    Not all: pydantic refuses arrays, and writes durations as text.
    """
    if not isinstance(fields, dict):  # of a RootModel
        converted: object = value.model_dump(mode="json")  # type: ignore[attr-defined] # pydantic.BaseModel
        return converted
    wrong = {name for name, item in fields.items() if _encode_or_none(item) is None}
    converted = value.model_dump(mode="json", include=wrong)  # type: ignore[attr-defined] # the same
    return {**fields, **cast("dict[str, object]", converted)}


def _encode_or_none(value: object) -> bytes | None:
    try:
        return orjson.dumps(value, plain, _ANY_KEYS)
    except TypeError:
        return None


def struct_fields(value: object) -> object:
    """Return the fields of a Struct of msgspec by their names in JSON, with its tag."""
    config = value.__struct_config__  # type: ignore[attr-defined] # msgspec.Struct
    names: tuple[str, ...] = value.__struct_fields__  # type: ignore[attr-defined] # the same
    encoded: tuple[str, ...] = value.__struct_encode_fields__  # type: ignore[attr-defined] # the same
    pairs = zip(encoded, (getattr(value, name) for name in names), strict=True)
    is_set = [(name, item) for name, item in pairs if type(item).__name__ != "UnsetType"]
    tag = [] if config.tag is None else [(config.tag_field, config.tag)]
    if config.array_like:
        return [item for _, item in [*tag, *is_set]]
    return dict([*tag, *is_set])


def library_class(value_type: type) -> tuple[str, str]:
    """Return package and name of the first class of numpy or pandas that a type inherits from."""
    for base in value_type.__mro__:
        package = base.__module__.partition(".")[0]
        if package in {"numpy", "pandas"}:
            return package, base.__name__
    return value_type.__module__.partition(".")[0], value_type.__name__


def check_unique_columns(frame: object) -> None:
    """Raise TypeError for a DataFrame with two columns of one name: JSON would lose one."""
    names = list(frame.columns)  # type: ignore[attr-defined] # pandas.DataFrame
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise TypeError(f"a DataFrame has two columns named {duplicate!r}")


def _from_numpy(value: "numpy.ndarray") -> object:
    """Encode arrays of numbers by orjson, everything else by way of Python values.

    orjson also encodes dates, but turns NaT into a date.
    """
    kind = value.dtype.kind
    if type(value).__name__ == "ndarray" and kind in "biuf" and value.ndim and value.dtype.isnative:
        if value.flags.c_contiguous and value.itemsize <= _MAX_NUMBER_BYTES:
            return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
    elif kind == "M":
        return _from_dates(value)
    elif kind == "m":
        value = value.astype("m8[us]")  # tolist() turns nanoseconds into integers
    converted: object = value.tolist()
    return (
        float(value) if type(converted) is type(value) else converted
    )  # tolist() of a long double returns it unchanged


def _from_dates(value: "numpy.ndarray") -> object:
    """Return dates of Python or, for fractions of a microsecond, ISO 8601 text.

    Raise TypeError for years that ISO 8601 does not have.
    """
    np = sys.modules["numpy"]
    missing = np.isnat(value)
    years = value.astype("M8[Y]").astype(int) + _FIRST_YEAR  # the unit that holds every date
    if not np.all(missing | ((years >= datetime.MINYEAR) & (years <= datetime.MAXYEAR))):
        raise TypeError("a date of numpy is outside the years 1 to 9999; return it as text")
    exact = value.astype("M8[us]")
    if np.all(missing | (exact.astype(value.dtype) == value)):
        converted: object = exact.tolist()
        return converted
    texts: object = np.where(missing, None, np.datetime_as_string(value)).tolist()
    return texts


def _plain_keys(value: object) -> object:
    """Convert keys that are numpy numbers, as in dict(zip(*numpy.unique(..., True)))."""
    if isinstance(value, dict):
        return {
            key.item() if type(key).__module__ == "numpy" else key: _plain_keys(item)
            for key, item in value.items()
        }
    return [_plain_keys(item) for item in value] if isinstance(value, list) else value
