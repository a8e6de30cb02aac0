"""JSON Schemas of type hints: msgspec's and pydantic's own, and a few words for the rest."""

import sys
from collections.abc import Sequence
from typing import cast

from model_harness import hints
from model_harness.hints import Hint, Holds

Schema = dict[str, object]
REFERENCE = "#/components/schemas/"


def of(wanted: Sequence[Hint]) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a schema for each hint, and those that they refer to by name."""
    found: dict[int, Schema] = {}
    shared: dict[str, Schema] = {}
    by_msgspec = []
    for number, hint in enumerate(wanted):
        if hint.is_array:
            found[number] = _of_array(hint)
        elif hints.pydantic_knows(hint.source):
            found[number] = _of_pydantic(hint.source, shared)
        elif hint.source not in hints.NOTHING_SAID and hints.msgspec_knows(hint.source):
            by_msgspec.append(number)
    if by_msgspec:
        import msgspec  # noqa: PLC0415 - only for who asks for the document

        schemas, components = msgspec.json.schema_components(
            [wanted[number].source for number in by_msgspec], ref_template=REFERENCE + "{name}"
        )
        found |= dict(zip(by_msgspec, schemas, strict=True))
        shared |= components
    return [found.get(number, {}) for number in range(len(wanted))], shared


def _of_array(hint: Hint) -> Schema:
    if hint.holds is Holds.FRAME:
        columns = {"type": "object", "additionalProperties": {"type": "array"}}
        return {"anyOf": [{"type": "array"}, columns], "description": "rows or columns of a table"}
    return {"type": "array", "description": "an array of any number of dimensions"}


def _of_pydantic(source: object, shared: dict[str, Schema]) -> Schema:
    adapter = sys.modules["pydantic"].TypeAdapter(source)
    schema = cast("Schema", adapter.json_schema(ref_template=REFERENCE + "{model}"))
    shared |= cast("dict[str, Schema]", schema.pop("$defs", {}))
    return schema
