"""Convert and describe the types of pydantic. The package is not imported: the user's code is."""

import sys
import typing

from model_harness.binding.conversion import ConversionError, Converter


def is_pydantic_type(source: object) -> bool:
    """Return whether the hint, or a field of a class in it, is a pydantic model."""
    if "pydantic" not in sys.modules:
        return False
    model = sys.modules["pydantic"].BaseModel
    pending, visited = [source], set()
    while pending:
        part = pending.pop()
        if isinstance(part, type) and typing.get_origin(part) is None and issubclass(part, model):
            return True
        if id(part) not in visited:
            visited.add(id(part))
            pending += typing.get_args(part)
            pending += getattr(part, "__annotations__", {}).values()
    return False


def converter(source: object) -> Converter:
    """Return the converter of a hint."""
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(source)

    def convert(value: object) -> object:
        try:
            converted: object = adapter.validate_python(value)
        except pydantic.ValidationError as error:
            mistakes = [("".join(map(_path_part, e["loc"])), e["msg"]) for e in error.errors()]
            raise ConversionError(*mistakes) from None
        except Exception as error:  # noqa: BLE001 - raised by a validator of the user
            raise ConversionError(("", f"{type(error).__name__}: {error}")) from None
        return converted

    return convert


def _path_part(key: object) -> str:
    return f"[{key}]" if isinstance(key, int) else f".{key}"
