"""Protobuf Structs as plain Python data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import struct_pb2

__all__ = ["struct_from", "struct_to_dict"]

# Up to here a double holds every whole number exactly.
_EXACT: Final = 2**53

if TYPE_CHECKING:
    from collections.abc import Mapping


def struct_to_dict(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return the data of a Struct; whole numbers are ints, NaN and the infinities stay floats.

    Protobuf's own JSON conversion refuses a Struct with NaN in it, and a value that comes from elsewhere must not make
    an execution unreadable.
    """
    return {name: _plain(struct.fields[name]) for name in sorted(struct.fields)}


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_to_dict(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    # An unset value counts as null.
    return None if kind in {"null_value", None} else getattr(value, kind)


def struct_from(data: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return the Struct that holds plain data.

    Args:
        data: Strings, numbers, bools, None, lists and dicts of them.

    Raises:
        ValueError: Something in it is none of those.
    """
    struct = struct_pb2.Struct()
    struct.update(data)
    return struct
