"""The payloads inside literals: msgpack in a Binary, JSON-like data in a Struct."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import literals_pb2

from flyte_remote_async.errors import DecodeError, EncodeError, UntrustedPickleError
from flyte_remote_async.models.turns import take_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf import struct_pb2

__all__ = [
    "MSGPACK",
    "plain_struct",
    "read_binary",
    "read_generic",
    "unpack",
    "unpack_in_pieces",
    "unpacker",
    "write_binary",
]

MSGPACK = "msgpack"


def read_binary(binary: literals_pb2.Binary) -> Any:
    """Return the plain data of a msgpack payload.

    No part may claim to be longer than the payload, and extension types are off: nothing but data comes out.

    Raises:
        DecodeError: The tag is not ``msgpack``, or the payload is malformed.
    """
    if binary.tag != MSGPACK:
        reason = f"the payload has the format {binary.tag!r}; only 'msgpack' is known"
        raise DecodeError(reason, kind="binary")
    return unpack(binary.value)


def unpack(payload: bytes) -> Any:
    """Return the plain data of bytes of msgpack; limits and errors as for :func:`read_binary`."""
    # Imported here: most users of the package never meet a msgpack payload.
    import msgpack

    size = len(payload)
    try:
        return msgpack.unpackb(
            payload,
            **_limits(size),
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise _unreadable(size, error) from error


def unpacker(longest: int) -> Callable[[bytes], Any]:
    """Return what unpacks payloads of up to a length as :func:`unpack` does, faster, with errors of msgpack's own."""
    import msgpack

    return functools.partial(msgpack.unpackb, **_limits(longest))


def unpack_in_pieces(data: bytes, start: int, end: int) -> Any:
    """Return the same of the msgpack that lies between two positions; other threads get their turn between pieces."""
    import msgpack

    size = end - start
    unpacker = msgpack.Unpacker(max_buffer_size=size, **_limits(size))
    values: list[Any] = []
    try:
        for at in range(start, end, _PIECE):
            take_turns()
            unpacker.feed(data[at : min(at + _PIECE, end)])
            # The unpacker goes on where it had to stop, in the middle of a list or a dict.
            values += unpacker
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise _unreadable(size, error) from error
    if len(values) != 1 or unpacker.tell() != size:
        raise _unreadable(size, "it is cut off, or more than one value")
    return values[0]


# Objects are made from these bytes, some 70 ns for each byte.
_PIECE: Final = 64 * 1024


def _limits(longest: int) -> dict[str, Any]:
    lengths = dict.fromkeys(("max_str_len", "max_bin_len", "max_array_len", "max_map_len"), longest)
    return {**lengths, "max_ext_len": 0, "strict_map_key": False}


def _unreadable(size: int, why: object) -> DecodeError:
    reason = f"the payload of {size} bytes is not msgpack that can be read: {str(why) or type(why).__name__}"
    return DecodeError(reason, kind="binary")


def read_generic(literal: literals_pb2.Literal) -> dict[str, Any]:
    """Return the plain data of a Struct; its numbers are all floats.

    Raises:
        UntrustedPickleError: The Struct only points at a pickled dict (flytekit up to 1.13 wrote those).
    """
    struct = literal.scalar.generic
    if literal.metadata.get("format") == "pickle":
        raise UntrustedPickleError(struct.fields["pickle_file"].string_value, kind="generic")
    return plain_struct(struct)


def plain_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return a Struct as a dict. Protobuf's own limit of 100 nested messages bounds the depth."""
    return {key: _plain_value(value) for key, value in struct.fields.items()}


def _plain_value(value: struct_pb2.Value) -> Any:
    which = value.WhichOneof("kind")
    if which == "struct_value":
        return plain_struct(value.struct_value)
    if which == "list_value":
        return [_plain_value(item) for item in value.list_value.values]
    return None if which is None or which == "null_value" else getattr(value, which)


def write_binary(value: Any) -> literals_pb2.Literal:
    """Return a literal with plain data as msgpack.

    Raises:
        EncodeError: Something in it has no msgpack form: an int beyond 64 bits, a date, a set, an own class.
    """
    import msgpack

    try:
        payload = msgpack.packb(value)
    except (ValueError, TypeError, OverflowError) as error:
        reason = f"it has no msgpack form: {error}"
        raise EncodeError(reason) from error
    return literals_pb2.Literal(
        scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=payload, tag=MSGPACK)),
    )
