"""Property values as plain Python data.

The plugins do not declare `acceptSecrets`. So the engine sends secrets as plain values, and marks
what comes back under the same name as secret again.
"""

from google.protobuf import struct_pb2
from pulumi.runtime.rpc import UNKNOWN

__all__ = ["UNKNOWN", "Json", "Object", "decode", "encode"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Object = dict[str, Json]


def decode(struct: struct_pb2.Struct) -> Object:
    """Return the engine's properties; whole numbers become `int`, nulls disappear."""
    decoded = {key: _decode(value) for key, value in struct.fields.items()}
    return {key: value for key, value in decoded.items() if value is not None}


def _decode(value: struct_pb2.Value) -> Json:
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
            return decode(value.struct_value)
        case _:
            return None


def encode(properties: Object) -> struct_pb2.Struct:
    """Return the protocol's form of properties; the reverse of `decode`."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct
