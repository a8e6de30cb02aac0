"""The classes with fields in a hint: dataclasses, TypedDict, NamedTuple, models and Structs."""

import dataclasses
import functools
import typing
from collections.abc import Mapping


def is_record(source: object) -> bool:
    """Return whether a hint is a class with fields, which JSON sends as an object."""
    return isinstance(source, type) and (
        dataclasses.is_dataclass(source)
        or typing.is_typeddict(source)
        or hasattr(source, "model_validate")  # of pydantic
        or hasattr(source, "__struct_fields__")  # of msgspec
        or hasattr(source, "__attrs_attrs__")
    )


def is_named_tuple(source: object) -> bool:
    """Return whether a hint is a NamedTuple, which JSON sends as an array."""
    return isinstance(source, type) and issubclass(source, tuple) and hasattr(source, "_fields")


def fields_of(source: object) -> Mapping[str, object]:
    """Return the hints of the fields by their names in JSON; none for any other hint."""
    origin = typing.get_origin(source) or source
    return _fields_of(origin) if is_record(origin) or is_named_tuple(origin) else {}


@functools.cache
def _fields_of(record: type) -> Mapping[str, object]:
    try:
        hints = typing.get_type_hints(record, include_extras=True)
    except Exception:  # noqa: BLE001 - evaluating hints runs code of the user, which may raise anything
        return {}
    if not hasattr(record, "__struct_fields__"):
        return hints
    renamed: tuple[str, ...] = getattr(record, "__struct_encode_fields__", ())
    return {new: hints[old] for old, new in zip(record.__struct_fields__, renamed, strict=True)}
