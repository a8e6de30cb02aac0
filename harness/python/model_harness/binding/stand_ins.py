"""Stand-ins for the classes that msgspec cannot make from JSON by itself.

msgspec calls a hook for a class that it does not know. So a hint is translated first:

- A dataclass with `InitVar` or `field(init=False)`, or with one of these in a field, becomes a
  stand-in. The hook makes its fields, then calls the dataclass.
- A union of dataclasses becomes a stand-in. The hook tries each dataclass, first the one that has
  the most names in common with the value.
- Classes of numpy and pandas stay. The hook makes the array.
- Limits of annotated-types become `msgspec.Meta`.
"""

import dataclasses
import functools
import itertools
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import cast

from model_harness.binding import array_hints
from model_harness.binding.class_fields import fields_of, is_named_tuple, is_record
from model_harness.binding.conversion import ConversionError, UnsupportedHintError, to_integer

Schema = dict[str, object]
_WRONG_FLOAT = "got `float`"
_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length")
_CHECKED_LIMITS = [
    "Gt",
    "Ge",
    "Lt",
    "Le",
    "Interval",
    "MultipleOf",
    "MinLen",
    "MaxLen",
    "Len",
    "DocInfo",
    "Unit",
]
_UNIONS = {typing.Union, types.UnionType}
_ABSENT = object()  # the value of a field that the request does not have


class _StandInType(type):
    make: Callable[[object], object]
    described: tuple[object, ...]
    """The hints that describe it; more than one for a union."""

    def __instancecheck__(cls, instance: object) -> bool:
        """Accept any object: msgspec checks the type of what the hook returns."""
        return True


_stand_ins: dict[object, _StandInType] = {}  # by dataclass or by members of a union


def translate(source: object) -> object:
    """Return the hint with stand-ins."""
    origin, parts = typing.get_origin(source), typing.get_args(source)
    if origin is typing.Annotated:
        limits = [limit for part in parts[1:] for limit in _limits(part)]
        inner = translate(parts[0])
        return typing.Annotated[(inner, *limits)] if limits else inner
    if not parts or origin is typing.Literal or any(isinstance(part, list) for part in parts):
        return _translate_class(source) if dataclasses.is_dataclass(source) else source
    inner_parts = tuple(map(translate, parts))
    is_same = array_hints.converter(source) is not None or all(
        map(operator.is_, inner_parts, parts)
    )
    if origin in _UNIONS:
        return source if is_same and is_supported(source) else _translate_union(inner_parts)
    if is_same:
        return source
    return cast("Mapping[object, object]", origin)[inner_parts]


def _limits(metadata: object) -> list[object]:
    """Return metadata of msgspec for a limit of annotated-types, otherwise as it is."""
    if type(metadata).__module__.partition(".")[0] != "annotated_types":
        return [metadata]
    import msgspec  # noqa: PLC0415 - 3 MB that most models do not need

    name = type(metadata).__name__
    if name not in _CHECKED_LIMITS:
        reason = "is checked by pydantic alone; add pydantic to the version's requirements.txt"
        raise UnsupportedHintError(f"the limit {name} {reason}, and import it")
    limits = {name: getattr(metadata, name, None) for name in _LIMITS}
    return [msgspec.Meta(**{k: v}) for k, v in limits.items() if v is not None]


def _translate_class(source: object) -> object:
    record = cast("type", source)
    if record in _stand_ins:
        return _stand_ins[record]
    parameters = [f for f in _all_fields(record) if not _is_class_variable(f)]
    hints = fields_of(record)
    if not hints:
        return source
    is_odd = any(not field.init or _is_init_only(field) for field in parameters)
    stand_in = _StandInType(record.__name__, (), {"described": ()})
    _stand_ins[record] = cast("_StandInType", stand_in if is_odd else record)  # for recursion
    translated = {f.name: translate(_init_hint(hints[f.name])) for f in parameters if f.init}
    if not is_odd and all(translated[name] is hints[name] for name in translated):
        del _stand_ins[record]
        return source
    _stand_ins[record] = stand_in
    import msgspec  # noqa: PLC0415 - see _limits

    fields = [
        (f.name, translated[f.name])
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        else (f.name, translated[f.name], msgspec.field(default_factory=lambda: _ABSENT))
        for f in parameters
        if f.init
    ]
    shadow = msgspec.defstruct(f"{record.__name__}Input", fields, kw_only=True)
    shadow.__doc__ = record.__doc__

    def make(value: object) -> object:
        received = convert(value, shadow)
        values = {name: getattr(received, name) for name in translated}
        return record(**{name: v for name, v in values.items() if v is not _ABSENT})

    stand_in.make, stand_in.described = make, (shadow,)
    return stand_in


def _all_fields(record: type) -> Iterable["dataclasses.Field[object]"]:
    """Return the fields, also those that only the constructor has."""
    fields: dict[str, dataclasses.Field[object]] = getattr(record, "__dataclass_fields__")  # noqa: B009 - mypy does not know it
    return fields.values()


def _is_class_variable(field: object) -> bool:
    return getattr(field, "_field_type", None) is dataclasses._FIELD_CLASSVAR  # type: ignore[attr-defined] # not public


def _is_init_only(field: object) -> bool:
    return getattr(field, "_field_type", None) is dataclasses._FIELD_INITVAR  # type: ignore[attr-defined] # not public


def _init_hint(hint: object) -> object:
    return hint.type if isinstance(hint, dataclasses.InitVar) else hint


def _translate_union(parts: tuple[object, ...]) -> object:
    union: object = functools.reduce(operator.or_, parts)
    members = tuple(part for part in parts if part is not types.NoneType)
    if is_supported(union) or not any(map(_has_fields, members)):
        return union
    if members not in _stand_ins:
        names = " | ".join(getattr(member, "__name__", str(member)) for member in members)
        stand_in = _StandInType(names, (), {"described": members})

        def make(value: object) -> object:
            by_fit = sorted(members, key=lambda member: -_common_fields(value, member))
            mistakes: list[tuple[str, str]] = []
            for member in by_fit:
                try:
                    return convert(value, member)
                except ConversionError as error:
                    mistakes += error.mistakes[:1]
            raise ConversionError((mistakes[0][0], f"none of {names}: {mistakes[0][1]}"))

        stand_in.make = make
        _stand_ins[members] = stand_in
    stand_in = _stand_ins[members]
    return typing.Optional[stand_in] if types.NoneType in parts else stand_in  # noqa: UP045 - as above


def _has_fields(source: object) -> bool:
    return isinstance(source, _StandInType) or is_record(typing.get_origin(source) or source)


def _common_fields(value: object, member: object) -> int:
    described = member.described[0] if isinstance(member, _StandInType) else member
    return len(fields_of(described).keys() & value.keys()) if isinstance(value, dict) else 0


def is_supported(source: object) -> bool:
    """Return whether msgspec can convert to the translated hint and describe it."""
    try:
        schemas([source], "{name}")
    except Exception:  # noqa: BLE001 - msgspec inspects classes of the user, which may raise anything
        return False
    return True


def schemas(sources: Iterable[object], template: str) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a schema for each hint, and the named schemas that they refer to."""
    import msgspec  # noqa: PLC0415 - see _limits

    shared: dict[str, Schema] = {}
    pending: set[object] = set()

    def hook(source: type) -> Schema:
        if array_hints.converter(source) is not None:
            is_frame = array_hints.is_frame(source)
            return {"description": "rows or columns of a table"} if is_frame else {"type": "array"}
        if not isinstance(source, _StandInType):
            raise NotImplementedError
        if source in pending:  # it contains itself
            return {"type": "object", "description": f"another {source.__name__}"}
        pending.add(source)
        described = [describe([part])[0] for part in source.described]
        pending.discard(source)
        return described[0] if len(described) == 1 else {"anyOf": described}

    def describe(parts: Iterable[object]) -> list[Schema]:
        documents, components = msgspec.json.schema_components(
            parts, schema_hook=hook, ref_template=template
        )
        shared.update(components)
        return list(documents)

    return describe(sources), shared


def convert(value: object, source: object) -> object:
    """Convert a value to a translated hint. Raise ConversionError."""
    import msgspec  # noqa: PLC0415 - see _limits

    try:
        try:
            return msgspec.convert(value, source, dec_hook=_make)
        except msgspec.ValidationError as error:
            if _WRONG_FLOAT not in str(error):
                raise
        return msgspec.convert(_whole_numbers(value, source), source, dec_hook=_make)
    except msgspec.ValidationError as error:
        message, *paths = str(error).split(" - at `$")  # the innermost path comes first
        path = "".join(part.rstrip("`") for part in reversed(paths))
        raise ConversionError((path, message[:1].lower() + message[1:])) from None


def _make(source: type, value: object) -> object:
    """Make an object of a class that msgspec does not know."""
    to_array = array_hints.converter(source)
    make = source.make if isinstance(source, _StandInType) else to_array
    if make is None:
        raise NotImplementedError
    try:
        return make(value)
    except ConversionError as error:
        path, text = error.mistakes[0]
        raise ValueError(f"{text} - at `${path}`" if path else text) from None


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
        value_hint = parts[1] if len(parts) == 2 else None  # noqa: PLR2004 - of a mapping
        return {name: _whole_numbers(v, fields.get(name, value_hint)) for name, v in value.items()}
    is_integer = isinstance(source, type) and issubclass(source, int | Enum)
    return to_integer(value) if is_integer or origin is typing.Literal else value


def _items(source: object, count: int) -> Iterable[object]:
    """Return the hints of the items of an array."""
    origin, parts = typing.get_origin(source), typing.get_args(source)
    if origin is tuple and parts[-1:] != (...,):
        return [*parts, *[None] * count][:count]
    if is_named_tuple(source):
        return [*fields_of(source).values(), *[None] * count][:count]
    return itertools.repeat(parts[0] if parts else None, count)
