"""Turns pydantic's errors into mistakes that say what to write.

pydantic knows where and what kind; the words come from the section's own fields, found again by
walking the types along the path.
"""

import datetime
from collections.abc import Sequence
from typing import get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.errors import REFUSAL, Mistake, choices, describe, key_text
from components.spec.sections import INHERITED, Section, StackSpec

_KEY = "[key]"
_VERSION_DEPTH = 5
"""Length of `models.<model>.versions.<version>.<key>`."""


def mistakes(error: ValidationError, data: object) -> list[Mistake]:
    """All that pydantic found in `data`, the raw sections under their names."""
    found = (
        _mistake(details, data) for details in error.errors(include_url=False) if details["loc"]
    )
    return [mistake for mistake in found if mistake is not None]


def _mistake(details: ErrorDetails, data: object) -> Mistake | None:
    at = tuple(key_text(key) for key in details["loc"] if key != _KEY)
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if _is_of_a_version(at) and at[-1] in INHERITED:
        version = _value_at(data, at[:-1])
        if kind == "missing":
            return Mistake(
                (*at[:2], at[-1]), "nothing", f"{_example(at)}, for the model or each version"
            )
        if isinstance(version, dict) and at[-1] not in version:
            return None  # the model's own mistake, handed down to this version
    match kind:
        case "missing":
            version = _value_at(data, at[:-1])
            if at[-1] == "source" and isinstance(version, dict) and "image" in version:
                return None  # a version has one of the two; `image` is refused by name
            return Mistake(at, "nothing", _example(at))
        case "extra_forbidden":
            return _unknown_key(at)
        case _ if value is None and _field_at(at) is not None:
            return Mistake(at, "nothing", _null_hint(at))
        case _ if kind == REFUSAL:
            return Mistake(at, context.get("found", describe(value)), context["hint"])
        case _:
            return Mistake(at, describe(value), _hint(kind, at, value, context))


def _hint(kind: str, at: Sequence[str], value: object, context: dict[str, object]) -> str:
    match kind:
        case "model_type" | "model_attributes_type" | "dict_type":
            return _map_hint(at)
        case "string_type":
            return _text_hint(value)
        case "int_type":
            whole = isinstance(value, str) and value.isascii() and value.isdigit()
            return "write the number without quotes" if whole else "write a whole number"
        case "too_short":
            return _example(at)
        case "greater_than_equal":
            return f"write a whole number, at least {context['ge']}"
        case "less_than_equal":
            return f"write a whole number, at most {context['le']}"
    return "write a value of the right kind"


def _text_hint(value: object) -> str:
    if isinstance(value, bool | int | float | datetime.date):
        return "write it in quotes: without them YAML does not read it as text"
    return "write text"


def _null_hint(at: Sequence[str]) -> str:
    field = _field_at(at)
    optional = field is not None and not field.is_required()
    return _example(at) + (", or take the line away" if optional else "")


def _map_hint(at: Sequence[str]) -> str:
    keys = ", ".join(_section_at(at).fields_by_key())
    return f"write a map with the keys {keys}" if keys else "write a map"


def _unknown_key(at: tuple[str, ...]) -> Mistake:
    section = _section_at(at[:-1])
    if at[-1] in section.LATER:
        what = section.LATER[at[-1]]
        return Mistake(
            at, "a key that is not yet supported", f"take it away: a later release brings {what}"
        )
    return Mistake(at, "an unknown key", choices(at[-1], section.fields_by_key()))


def _example(at: Sequence[str]) -> str:
    field = _field_at(at)
    if field is None or not field.examples:
        return _map_hint(at)
    return f"write it, such as {at[-1]}: {_flow(field.examples[0])}"


def _flow(value: object) -> str:
    """A value in YAML's one-line form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return str(value)


def _type_at(at: Sequence[str]) -> object:
    """The type that a stack file has at a path; None where it has nothing."""
    kind: object = StackSpec
    for key in at:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            field = _as_section(kind).fields_by_key().get(key)
            kind = None if field is None else field.annotation
    return kind


def _section_at(at: Sequence[str]) -> type[Section]:
    return _as_section(_type_at(at))


def _field_at(at: Sequence[str]) -> FieldInfo | None:
    return _section_at(at[:-1]).fields_by_key().get(at[-1])


def _as_section(kind: object) -> type[Section]:
    """The section itself, or the one without keys for what is none."""
    return kind if isinstance(kind, type) and issubclass(kind, Section) else Section


def _value_at(data: object, at: Sequence[str]) -> object:
    for key in at:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _is_of_a_version(at: Sequence[str]) -> bool:
    return len(at) == _VERSION_DEPTH and at[0] == "models" and at[2] == "versions"
