"""Convert and describe the types of pydantic, which the user's code has imported.

The package is imported here only for a class that msgspec cannot make, if the version has it.
"""

import importlib
import importlib.util
import sys
import typing
from contextlib import suppress
from typing import cast

from model_harness.binding.class_fields import fields_of
from model_harness.binding.conversion import ConversionError, Converter, UnsupportedHintError
from model_harness.errors import RequestError

_PACKAGES = {"pydantic", "annotated_types"}
_CORE_SCHEMA = ("__get_pydantic_core_schema__", "__pydantic_core_schema__")


def is_pydantic_type(source: object) -> bool:
    """Return whether pydantic defines the hint, a limit in it, or a field of a class in it.

    So `PositiveInt`, `HttpUrl`, `Annotated[float, Field(ge=0)]`, models and their dataclasses.
    """
    if "pydantic" not in sys.modules:
        return False
    pending, visited = [source], set()
    while pending:
        part = pending.pop()
        if any(hasattr(part, name) for name in _CORE_SCHEMA) or is_limit(part):
            return True
        if id(part) not in visited:
            visited.add(id(part))
            pending += typing.get_args(part)
            pending += fields_of(part).values()
    return False


def is_limit(metadata: object) -> bool:
    """Return whether it is an object in `Annotated` that limits values."""
    return type(metadata).__module__.partition(".")[0] in _PACKAGES


def is_field(default: object) -> bool:
    """Return whether the default of a parameter is `Field(..)`, as FastAPI writes limits."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(default, pydantic.fields.FieldInfo)


def is_installed() -> bool:
    """Return whether the version has pydantic."""
    return importlib.util.find_spec("pydantic") is not None


def converter(source: object) -> Converter:
    """Return the converter of a hint. Raise UnsupportedHintError where pydantic refuses it."""
    pydantic = importlib.import_module("pydantic")
    try:
        adapter = pydantic.TypeAdapter(source)
    except Exception as error:  # classes of the user may raise anything
        reason = str(error).partition("\n")[0]
        raise UnsupportedHintError(f"pydantic refuses the hint: {reason}") from error
    if not getattr(adapter, "pydantic_complete", True):
        raise UnsupportedHintError("pydantic refuses the hint: a name in it is not defined")

    def convert(value: object) -> object:
        try:
            converted: object = adapter.validate_python(value)
        except pydantic.ValidationError as error:
            mistakes = [("".join(map(_path_part, e["loc"])), e["msg"]) for e in error.errors()]
            raise ConversionError(*mistakes) from None
        except Exception as error:  # noqa: BLE001 - raised by a validator of the user
            raise ConversionError(("", f"{type(error).__name__}: {error}")) from None
        except BaseException as error:  # sys.exit() of the user is an error of the function
            raise RequestError(500, f"{type(error).__name__}: {error}") from error
        return converted

    return convert


def schema(source: object, ref_template: str) -> dict[str, object]:
    """Return the JSON Schema of a hint; empty in each place that pydantic cannot describe."""
    pydantic = sys.modules["pydantic"]

    class Tolerant(pydantic.json_schema.GenerateJsonSchema):  # type: ignore[misc,name-defined] # Any
        def handle_invalid_for_json_schema(self, *_: object) -> dict[str, object]:
            return {}

    for options in ({}, {"config": {"arbitrary_types_allowed": True}}):
        with suppress(Exception):  # classes of the user may raise anything
            adapter = pydantic.TypeAdapter(source, **options)
            described: object = adapter.json_schema(
                ref_template=ref_template, schema_generator=Tolerant
            )
            return cast("dict[str, object]", described)
    return {}


def _path_part(key: object) -> str:
    return f"[{key}]" if isinstance(key, int) else f".{key}"
