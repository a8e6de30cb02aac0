"""Type hints: which JSON values an argument accepts, and how they are converted.

Plain hints (`float`, `str | None`, ...) are compared with the type of the value at almost no cost.
The others are converted: numpy's and pandas' classes by array_hints, everything of pydantic by
pydantic_hints, the rest (dataclasses, TypedDict, Literal, `list[int]`, dates, ...) by
msgspec_hints. A hint that none of them supports is not checked, unless it has a class with fields:
that ends the start. None of these packages is imported unless a hint needs it: code that hints a
numpy array has imported numpy.
"""

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from model_harness.binding import array_hints, msgspec_hints, pydantic_hints
from model_harness.binding.class_fields import is_record
from model_harness.binding.conversion import (
    JSON_NAMES,
    ConversionError,
    Converter,
    UnsupportedClassError,
    UnsupportedHintError,
)

# The types that JSON distinguishes. `True` is not a number.
_PLAIN: dict[object, tuple[type, ...]] = {
    float: (float, int),
    int: (int,),
    str: (str,),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
    types.NoneType: (types.NoneType,),
}


class Binding(Enum):
    """How much of a table one argument receives (see table_binding.py)."""

    VALUE = "one value of a row"
    COLUMN = "a whole column"
    FRAME = "the whole table"


@dataclass(frozen=True)
class Hint:
    """The hint of one argument. The default accepts every value unchanged."""

    source: object = inspect.Parameter.empty
    json_types: tuple[type, ...] = ()  # the accepted types; empty: not compared
    convert: Converter | None = None  # raises ConversionError
    binding: Binding = Binding.VALUE
    float_depth: int | None = None  # 0: a float, 1: a list of them, ..: null in a table is NaN
    by_pydantic: bool = False  # which converts and describes it
    is_array: bool = False  # of numpy or pandas: `convert` accepts arrays of numpy, too

    @property
    def is_checked(self) -> bool:
        """Whether the hint rejects any value."""
        return bool(self.json_types) or self.convert is not None

    @property
    def expected(self) -> str:
        """Return the accepted JSON types in words."""
        names = [
            JSON_NAMES[json_type]
            for json_type in self.json_types
            if (json_type, float) != (int, self.json_types[0])
        ]
        return " or ".join(names)

    @property
    def takes_object(self) -> bool:
        """Return whether a row with names can be the value: a dict or a class with fields."""
        return _takes_object(self.source)

    @property
    def takes_rows(self) -> bool:
        """Return whether a list of rows with names can be the value."""
        return any(
            typing.get_origin(member) is list and _takes_object(typing.get_args(member)[0])
            for member in _members(self.source)
        )


ANY = Hint()
UNTYPED = (inspect.Parameter.empty, typing.Any, object)


def parse(source: object) -> Hint:
    """Return the parsed hint."""
    json_types = _json_types(source)
    if json_types:
        binding = Binding.COLUMN if list in json_types else Binding.VALUE
        is_float = float in json_types and types.NoneType not in json_types
        return Hint(source, json_types, binding=binding, float_depth=0 if is_float else None)
    for member in _members(source):
        to_array = array_hints.converter(member)
        if to_array is not None:
            binding = Binding.FRAME if array_hints.is_frame(member) else Binding.COLUMN
            return Hint(source, (), to_array, binding, is_array=True)
    by_pydantic, convert = _structured(source)
    if convert is None:
        return Hint(source)
    is_list = any(typing.get_origin(member) is list for member in _members(source))
    binding = Binding.COLUMN if is_list else Binding.VALUE
    return Hint(
        source,
        convert=convert,
        binding=binding,
        float_depth=_float_depth(source),
        by_pydantic=by_pydantic,
    )


def _takes_object(source: object) -> bool:
    for member in _members(source):
        origin = typing.get_origin(member) or member
        if isinstance(origin, type) and (issubclass(origin, Mapping) or is_record(origin)):
            return True
    return False


def _float_depth(source: object) -> int | None:
    """Return how many lists are around a float; None for any other hint."""
    origin, parts = typing.get_origin(source), typing.get_args(source)
    if source is float:
        return 0
    if origin is typing.Annotated:
        return _float_depth(parts[0])
    if origin is list:
        depth = _float_depth(parts[0])
        return None if depth is None else depth + 1
    lists = [member for member in _members(source) if typing.get_origin(member) is list]
    return _float_depth(lists[0]) if lists else None


def _members(source: object) -> tuple[object, ...]:
    """Return the members of a union without None, or the hint itself; without metadata."""
    if typing.get_origin(source) is typing.Annotated:
        return _members(typing.get_args(source)[0])
    if typing.get_origin(source) in {typing.Union, types.UnionType}:
        return tuple(member for member in typing.get_args(source) if member is not types.NoneType)
    return (source,)


def _json_types(source: object) -> tuple[type, ...]:
    if typing.get_origin(source) in {typing.Union, types.UnionType}:
        members = [_json_types(member) for member in typing.get_args(source)]
        return tuple(dict.fromkeys(sum(members, ()))) if all(members) else ()
    return _PLAIN.get(source, ()) if isinstance(source, type) else ()


def refused(source: object, reason: str) -> Hint:
    """Return the hint of an optional argument that no request can send."""

    def refuse(_value: object) -> object:
        raise ConversionError(("", f"{reason}; leave the argument out"))

    return Hint(source, convert=refuse)


def _structured(source: object) -> tuple[bool, Converter | None]:
    """Return whether pydantic converts the hint, and the converter; None if nothing checks it."""
    if source in UNTYPED:
        return False, None
    if pydantic_hints.is_pydantic_type(source):
        return True, pydantic_hints.converter(source)
    if msgspec_hints.is_msgspec_type(source):
        return False, msgspec_hints.converter(source)
    reason = msgspec_hints.unsupported_class(source)
    if reason is None:
        return False, None
    if pydantic_hints.is_installed():
        try:
            return True, pydantic_hints.converter(source)
        except UnsupportedHintError:
            pass
    raise UnsupportedClassError(reason)
