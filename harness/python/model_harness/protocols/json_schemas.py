"""JSON Schemas of type hints, by msgspec, pydantic, or a short description."""

from collections.abc import Sequence
from typing import cast

from model_harness.binding import pydantic_hints, stand_ins, type_hints
from model_harness.binding.type_hints import Binding, Hint

Schema = dict[str, object]
REFERENCE = "#/components/schemas/"


def schemas_of(hints: Sequence[Hint]) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a schema for each hint, and the named schemas that they refer to."""
    schemas: dict[int, Schema] = {}
    shared: dict[str, Schema] = {}
    by_msgspec: dict[int, object] = {}
    for number, hint in enumerate(hints):
        if hint.is_array:
            schemas[number] = _array_schema(hint)
        elif hint.by_pydantic or pydantic_hints.is_pydantic_type(hint.source):
            schemas[number] = _pydantic_schema(hint.source, shared)
        elif hint.source not in type_hints.UNTYPED:
            # Of a result, all fields; of an argument, what a request sends.
            source = hint.source if hint.convert is None else stand_ins.translate(hint.source)
            if stand_ins.is_supported(source):
                by_msgspec[number] = source
    if by_msgspec:
        documents, components = stand_ins.schemas(by_msgspec.values(), REFERENCE + "{name}")
        schemas |= dict(zip(by_msgspec, documents, strict=True))
        shared |= components
    return [schemas.get(number, {}) for number in range(len(hints))], shared


def _array_schema(hint: Hint) -> Schema:
    if hint.binding is Binding.FRAME:
        columns = {"type": "object", "additionalProperties": {"type": "array"}}
        return {"anyOf": [{"type": "array"}, columns], "description": "rows or columns of a table"}
    return {"type": "array", "description": "an array of any number of dimensions"}


def _pydantic_schema(source: object, shared: dict[str, Schema]) -> Schema:
    schema = pydantic_hints.schema(source, REFERENCE + "{model}")
    shared |= cast("dict[str, Schema]", schema.pop("$defs", {}))
    return schema
