"""Property values as plain Python data.

The SDK's `PropertyValue` turns every number into a float and costs several objects per leaf; the
plugins speak JSON with an API server and compare large trees at each preview. So here a property
is plain data, and a secret is a `Secret` around it. Unknown values (outputs that exist only after
the update) are the SDK's marker string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import struct_pb2
from pulumi.runtime.rpc import UNKNOWN

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the protocol's marker, not a password

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Object = dict[str, Json]


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in the state and hides in its output."""

    value: Tree


Tree = None | bool | int | float | str | Secret | Sequence["Tree"] | Mapping[str, "Tree"]
Properties = dict[str, Tree]

__all__ = [
    "UNKNOWN",
    "Json",
    "Object",
    "Properties",
    "Secret",
    "Tree",
    "decode",
    "encode",
    "has_secret",
    "has_unknown",
    "mark_like",
    "reveal",
    "reveal_all",
]


class UnsupportedValueError(ValueError):
    """An asset, archive or resource reference where only plain data has a meaning."""


def decode(struct: struct_pb2.Struct) -> Properties:
    """The engine's properties as plain data; whole numbers become `int`, nulls disappear."""
    found = {key: _decode(item) for key, item in struct.fields.items()}
    return {key: value for key, value in found.items() if value is not None}


def _decode(value: struct_pb2.Value) -> Tree:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_struct(value.struct_value)
        case _:
            return None


def _decode_struct(struct: struct_pb2.Struct) -> Tree:
    fields = struct.fields
    if SIGNATURE not in fields:
        return decode(struct)
    if fields[SIGNATURE].string_value == SECRET:
        return Secret(_decode(fields["value"]))
    raise UnsupportedValueError("assets, archives and resource references are not supported here")


def encode(properties: Mapping[str, Tree]) -> struct_pb2.Struct:
    """The reverse of `decode`."""
    return struct_pb2.Struct(fields={key: _encode(item) for key, item in properties.items()})


def _encode(value: Tree) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Secret(value=inner):
            marker = struct_pb2.Value(string_value=SECRET)
            fields = {SIGNATURE: marker, "value": _encode(inner)}
            return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
        case Mapping():
            return struct_pb2.Value(struct_value=encode(value))
        case _:
            items = [_encode(item) for item in value]
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))


def reveal(value: Tree) -> Json:
    """The same data without the marks of secrets, as fresh lists and dictionaries."""
    match value:
        case Secret(value=inner):
            return reveal(inner)
        case Mapping():
            return {key: reveal(item) for key, item in value.items()}
        case list() | tuple():
            return [reveal(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise UnsupportedValueError(f"cannot read a {type(value).__name__}")


def reveal_all(properties: Mapping[str, Tree]) -> Object:
    """`reveal` for a whole set of properties."""
    return {key: reveal(item) for key, item in properties.items()}


def has_unknown(value: Tree) -> bool:
    """Whether any leaf is known only after the update."""
    match value:
        case str():
            return value == UNKNOWN
        case Secret(value=inner):
            return has_unknown(inner)
        case Mapping():
            return any(has_unknown(item) for item in value.values())
        case list() | tuple():
            return any(has_unknown(item) for item in value)
        case _:
            return False


def has_secret(value: Tree) -> bool:
    """Whether the value or anything in it is a secret."""
    match value:
        case Secret():
            return True
        case Mapping():
            return any(has_secret(item) for item in value.values())
        case list() | tuple():
            return any(has_secret(item) for item in value)
        case _:
            return False


def mark_like(plain: Mapping[str, Tree], example: Mapping[str, Tree]) -> Properties:
    """`plain` with secrets where `example` has them.

    Maps are followed key by key; a list with a secret anywhere is secret as a whole, because
    servers reorder lists and a value that moved must not show.
    """
    marked: Properties = {}
    for key, value in plain.items():
        model = example.get(key)
        if isinstance(value, Mapping) and isinstance(model, Mapping):
            marked[key] = mark_like(value, model)
        elif has_secret(model) and not isinstance(value, Secret):
            marked[key] = Secret(value)
        else:
            marked[key] = value
    return marked
