"""Convert and describe dataclasses, TypedDict, `list[int]`, dates and more by msgspec."""

import itertools
import types
import typing
from collections.abc import Iterable
from enum import Enum

from model_harness.binding.class_fields import fields_of, is_named_tuple
from model_harness.binding.conversion import ConversionError, Converter, whole
from model_harness.errors import RequestError

_WRONG_FLOAT = "got `float`"


def is_msgspec_type(source: object) -> bool:
    """Return whether msgspec can convert to this hint and describe it."""
    import msgspec  # noqa: PLC0415 - 3 MB that most models do not need

    try:
        msgspec.json.schema_components([source])
    except Exception:  # noqa: BLE001 - msgspec inspects classes of the user, which may raise anything
        return False
    return True


def converter(source: object) -> Converter:
    """Return the converter of a hint."""
    import msgspec  # noqa: PLC0415 - see is_msgspec_type

    def convert(value: object) -> object:
        try:
            try:
                return msgspec.convert(value, source)
            except msgspec.ValidationError as error:
                if _WRONG_FLOAT not in str(error):
                    raise
            return msgspec.convert(_whole_numbers(value, source), source)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            message = message[:1].lower() + message[1:]
            raise ConversionError((path.rstrip("`"), message)) from None
        except Exception as error:  # noqa: BLE001 - raised by a __post_init__ of the user
            raise ConversionError(("", f"{type(error).__name__}: {error}")) from None
        except BaseException as error:  # sys.exit() of the user is an error of the function
            raise RequestError(500, f"{type(error).__name__}: {error}") from error

    return convert


def _whole_numbers(value: object, source: object) -> object:
    """Return the value with 1 instead of 1.0 in each place whose hint is an integer."""
    if source is None:
        return value
    origin, parts = typing.get_origin(source), typing.get_args(source)
    if origin in {typing.Annotated, typing.Required, typing.NotRequired}:
        return _whole_numbers(value, parts[0])
    if origin in {typing.Union, types.UnionType}:
        for member in () if float in parts else parts:
            value = _whole_numbers(value, member)
        return value
    if type(value) is list:
        return [
            _whole_numbers(v, part)
            for v, part in zip(value, _items(source, len(value)), strict=True)
        ]
    if type(value) is dict:
        fields = fields_of(source)
        rest = parts[1] if len(parts) == 2 else None  # noqa: PLR2004 - of a mapping
        return {name: _whole_numbers(v, fields.get(name, rest)) for name, v in value.items()}
    is_integer = isinstance(source, type) and issubclass(source, int | Enum)
    return whole(value) if is_integer or origin is typing.Literal else value


def _items(source: object, count: int) -> Iterable[object]:
    """Return the hints of the items of an array."""
    origin, parts = typing.get_origin(source), typing.get_args(source)
    if origin is tuple and parts[-1:] != (...,):
        return [*parts, *[None] * count][:count]
    if is_named_tuple(source):
        return [*fields_of(source).values(), *[None] * count][:count]
    return itertools.repeat(parts[0] if parts else None, count)
