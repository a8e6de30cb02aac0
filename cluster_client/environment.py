"""Decode environment variables into a struct and collect every error."""

from collections.abc import Mapping
from typing import TypeVar, get_args

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def decode_environment(
    environment: Mapping[str, str], struct_type: type[T]
) -> tuple[T | None, list[str]]:
    """Return the struct and no errors, or None and a line for each wrong variable.

    A field's encoded name is the variable's name, the `description` of its `msgspec.Meta` says
    what to write into it. An empty variable counts as not set.
    """
    values: dict[str, object] = {}
    errors = []
    for field in msgspec.structs.fields(struct_type):
        text = environment.get(field.encode_name, "")
        if not text:
            if field.required:
                errors.append(f"{field.encode_name} is not set; write {_description(field.type)}")
            continue
        try:
            values[field.name] = msgspec.convert(text, field.type, strict=False)
        except msgspec.ValidationError:
            expected = _description(field.type)
            errors.append(f"{field.encode_name} is {text!r}; write {expected}")
    return (None if errors else struct_type(**values)), errors


def _description(field_type: object) -> str:
    """Return the description in an annotated type."""
    metadata = (item for item in get_args(field_type) if isinstance(item, msgspec.Meta))
    return next((meta.description for meta in metadata if meta.description), "a value")
