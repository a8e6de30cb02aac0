"""Translate pydantic's errors into configuration issues with a remedy.

pydantic reports path and kind; the remedy comes from the section's fields, which are looked up by
walking the types along the path.
"""

import datetime
import re
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.config.base import Section
from components.config.models import StackSpec
from components.config.version_sections import FOLDER, GIT, INHERITED, SOURCE_KEYS
from components.errors import CUSTOM_ERROR, ConfigIssue, describe, format_key, suggest

_KEY = "[key]"
_NUMBER = re.compile("[0-9.]+")
_VERSION_DEPTH = 5
"""Length of `models.<model>.versions.<version>.<key>`."""


def find_issues(error: ValidationError, data: object) -> list[ConfigIssue]:
    """Return pydantic's errors in `data`, the raw sections by name, as issues."""
    errors = [details for details in error.errors(include_url=False) if details["loc"]]
    reported_paths = {_keys(details["loc"]) for details in errors}
    issues = (_to_issue(details, data, reported_paths) for details in errors)
    return [issue for issue in issues if issue is not None]


def _to_issue(
    details: ErrorDetails, data: object, reported_paths: set[tuple[str, ...]]
) -> ConfigIssue | None:
    at = _keys(details["loc"])
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if _is_of_a_version(at) and at[-1] in INHERITED:
        version = _value_at(data, at[:-1])
        of_model = (*at[:2], at[-1])
        if kind == "missing":
            return ConfigIssue(
                of_model, "no value", f"{_example(at)}, for the model or each version"
            )
        if isinstance(version, dict) and at[-1] not in version and of_model in reported_paths:
            return None  # an issue of the model, inherited by this version
    match kind:
        case "missing":
            return ConfigIssue(at, "no value", _example(at))
        case "extra_forbidden":
            return _unknown_key(at)
        case _ if value is None and _field_at(at) is not None:
            return ConfigIssue(at, "no value", _null_hint(at))
        case _ if kind == CUSTOM_ERROR:
            return ConfigIssue(at, context.get("actual", describe(value)), context["hint"])
        case _:
            return ConfigIssue(at, describe(value), _hint(kind, at, value, context))


def _keys(loc: Sequence[object]) -> tuple[str, ...]:
    """Return the keys of the file; pydantic adds the union branch and marks invalid keys."""
    keys = [format_key(key) for key in loc if key != _KEY]
    forms = slice(_VERSION_DEPTH, _VERSION_DEPTH + 1)
    if _is_of_a_version(keys[:_VERSION_DEPTH]) and keys[_VERSION_DEPTH - 1] == "source":
        keys[forms] = [key for key in keys[forms] if key not in (FOLDER, GIT)]
    return tuple(keys)


def _hint(kind: str, at: Sequence[str], value: object, context: dict[str, object]) -> str:
    match kind:
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"write {_map(at)}"
        case "string_type":
            return _text_hint(at, value)
        case "bool_type":
            return "write true or false"
        case "int_type":
            is_quoted_integer = isinstance(value, str) and value.isascii() and value.isdigit()
            return (
                "write the number without quotes" if is_quoted_integer else "write a whole number"
            )
        case "too_short" | "list_type":
            return _example(at)
        case "greater_than_equal":
            return f"write a whole number, at least {context['ge']}"
        case "less_than_equal":
            return f"write a whole number, at most {context['le']}"
    return "write a value of the correct type"


def _text_hint(at: Sequence[str], value: object) -> str:
    if isinstance(value, bool | int | float | datetime.date):
        return "write it in quotes: YAML does not read it as a string otherwise"
    return f"write a string, or {_map(at)}" if _section_at(at).model_fields else "write a string"


def _null_hint(at: Sequence[str]) -> str:
    field = _field_at(at)
    optional = field is not None and not field.is_required() and at[-1] not in SOURCE_KEYS
    return _example(at) + (", or remove the line" if optional else "")


def _map(at: Sequence[str]) -> str:
    keys = ", ".join(_section_at(at).fields_by_key())
    return f"a map with the keys {keys}" if keys else "a map"


def _unknown_key(at: tuple[str, ...]) -> ConfigIssue:
    section = _section_at(at[:-1])
    return ConfigIssue(at, "an unknown key", suggest(at[-1], section.fields_by_key()))


def _example(at: Sequence[str]) -> str:
    field = _field_at(at)
    if field is None or not field.examples:
        return f"write {_map(at)}"
    return f"set it, for example {at[-1]}: {_flow(field.examples[0])}"


def _flow(value: object) -> str:
    """Format a value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type_at(at: Sequence[str]) -> object:
    """Return the type of a path in a stack file; None for an unknown path."""
    kind: object = StackSpec
    for key in at:
        if get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        else:
            field = _as_section(kind).fields_by_key().get(key)
            kind = None if field is None else field.annotation
    return kind


def _section_at(at: Sequence[str]) -> type[Section]:
    return _as_section(_type_at(at))


def _field_at(at: Sequence[str]) -> FieldInfo | None:
    return _section_at(at[:-1]).fields_by_key().get(at[-1])


def _as_section(kind: object) -> type[Section]:
    """Return the section, also out of a union; `Section` for types that are not sections."""
    if get_origin(kind) in (Annotated, Union, UnionType):
        sections = [_as_section(choice) for choice in get_args(kind)]
        return next((section for section in sections if section is not Section), Section)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else Section


def _value_at(data: object, at: Sequence[str]) -> object:
    for key in at:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _is_of_a_version(at: Sequence[str]) -> bool:
    return len(at) == _VERSION_DEPTH and at[0] == "models" and at[2] == "versions"
