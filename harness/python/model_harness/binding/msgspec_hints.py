"""Convert dataclasses, TypedDict, `list[int]`, dates and more by msgspec."""

import dataclasses
import typing

from model_harness.binding import stand_ins
from model_harness.binding.class_fields import fields_of, is_named_tuple
from model_harness.binding.conversion import ConversionError, Converter
from model_harness.errors import RequestError


def is_msgspec_type(source: object) -> bool:
    """Return whether msgspec can convert to this hint and describe it."""
    return stand_ins.is_supported(stand_ins.translate(source))


def converter(source: object) -> Converter:
    """Return the converter of a hint."""
    translated = stand_ins.translate(source)

    def convert(value: object) -> object:
        try:
            return stand_ins.convert(value, translated)
        except ConversionError:
            raise
        except Exception as error:  # noqa: BLE001 - raised by a __post_init__ of the user
            raise ConversionError(("", f"{type(error).__name__}: {error}")) from None
        except BaseException as error:  # sys.exit() of the user is an error of the function
            raise RequestError(500, f"{type(error).__name__}: {error}") from error

    return convert


def unsupported_class(source: object) -> str | None:
    """Return a sentence about the class with fields in an unsupported hint, if it has one.

    Its values would reach the function as an unchecked object.
    """
    pending, visited = [source], set()
    while pending:
        part = pending.pop(0)
        origin = typing.get_origin(part) or part
        if id(part) in visited:
            continue
        visited.add(id(part))
        pending += typing.get_args(part)
        if not _is_class_with_fields(origin) or is_msgspec_type(part):
            continue
        wrong = [name for name, hint in fields_of(part).items() if not is_msgspec_type(hint)]
        kind = "dataclass" if dataclasses.is_dataclass(origin) else "class"
        where = f": field {wrong[0]}" if wrong else ""
        if not fields_of(part):
            where = ": its type hints cannot be resolved"
        return f"{kind} {getattr(origin, '__name__', origin)} cannot be made from JSON{where}"
    return None


def _is_class_with_fields(origin: object) -> bool:
    return (
        dataclasses.is_dataclass(origin)
        or is_named_tuple(origin)
        or hasattr(origin, "__struct_fields__")
        or hasattr(origin, "__attrs_attrs__")
    )
