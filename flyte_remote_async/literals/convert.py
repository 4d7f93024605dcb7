"""Decode and encode: pure functions between literals and Python values, without I/O and without flytekit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2
from google.protobuf.message import DecodeError as ProtobufDecodeError

from flyte_remote_async.errors import DecodeError, EncodeError, MalformedMessageError
from flyte_remote_async.literals.base import kind_of
from flyte_remote_async.literals.chunks import kind_at
from flyte_remote_async.literals.context import PLAIN
from flyte_remote_async.literals.registry import Codecs
from flyte_remote_async.models.literals import Literal, LiteralType

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import types_pb2

    from flyte_remote_async.errors import LiteralError
    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.literals.context import Context

__all__ = ["decode", "encode"]

# Protobuf parses 100 nested messages and no more; what is written must be readable.
_TOO_DEEP = "the value is nested too deeply"


def decode(
    literal: Literal | literals_pb2.Literal,
    literal_type: LiteralType | types_pb2.LiteralType | None = None,
    hint: Any = None,
    context: Context = PLAIN,
) -> Any:
    """Return the Python value of a literal.

    Args:
        literal: The literal.
        literal_type: The type that the interface declares. Without a hint it tells what the value is: datetimes are
            aware UTC, enums are their strings, dataclasses are dicts with values of their fields' types.
        hint: The Python type that is wanted, such as ``int``, ``list[Point]`` or an Enum class; None for none.
        context: What the conversion may use: the user's own types, and what files and tables are read with.

    Returns:
        The value. Without a type and a hint it is what the literal itself says.

    Raises:
        DecodeError: The literal cannot be read so; the error has the path inside the value and the literal's kind.

    Example:
        >>> decode(literal, literal_type, list[Point])
        [Point(x=1, y=2.0)]
    """
    if isinstance(literal, Literal) and len(literal.wire) > _SHORT:
        return _decode_bytes(literal.wire, lambda: _codec(DecodeError, literal_type, hint, context))
    try:
        message = literal if isinstance(literal, literals_pb2.Literal) else literal.to_flyte_idl()
    except ProtobufDecodeError as error:
        raise DecodeError(f"the bytes are not a literal: {error}", kind="unknown") from error
    try:
        return _codec(DecodeError, literal_type, hint, context).decode(message)
    except RecursionError as error:
        raise DecodeError(_TOO_DEEP, kind=kind_of(message)) from error
    except DecodeError as error:
        error.kind = error.kind or kind_of(message)
        raise


# Bytes up to which it is faster to parse a literal than to cut it.
_SHORT = 1024


def _decode_bytes(data: bytes, codec: Callable[[], Codec]) -> Any:
    try:
        return codec().decode_bytes(data, 0, len(data))
    except RecursionError as error:
        raise DecodeError(_TOO_DEEP, kind=kind_at(data)) from error
    except DecodeError as error:
        error.kind = error.kind or kind_at(data)
        raise
    except (ProtobufDecodeError, MalformedMessageError) as error:
        raise DecodeError(f"the bytes are not a literal: {error}", kind="unknown") from error


def encode(
    value: Any,
    literal_type: LiteralType | types_pb2.LiteralType,
    hint: Any = None,
    context: Context = PLAIN,
) -> Literal:
    """Return the literal of a Python value, in the form that a Flyte task of the declared type can read.

    Args:
        value: The value. A literal, ours or protobuf's, passes through as it is.
        literal_type: The type that the interface declares.
        hint: The Python type of the value, where it says more than the value itself, such as ``dict[int, Point]``;
            None for none.
        context: What the conversion may use: the user's own types, and what files were stored as.

    Raises:
        EncodeError: The value does not fit the type, or fits several variants of a union.

    Example:
        >>> encode(3, LiteralType.from_flyte_idl(types_pb2.LiteralType(simple=types_pb2.INTEGER)))
        Literal(scalar { primitive { integer: 3 } })
    """
    if isinstance(value, Literal):
        return value
    if isinstance(value, literals_pb2.Literal):
        return Literal.from_flyte_idl(value)
    declared = _message(literal_type)
    codec = _codec(EncodeError, declared, hint, context)
    if declared is not None and not codec.fits(declared):
        raise EncodeError(
            f"the declared type is {_codec(EncodeError, declared, None, context).expected}", expected=codec.expected
        )
    try:
        literal = Literal.from_flyte_idl(codec.encode(value))
        literals_pb2.Literal.FromString(literal.serialize_to_string())
    except (RecursionError, ProtobufDecodeError) as error:
        raise EncodeError(_TOO_DEEP, expected=codec.expected) from error
    except EncodeError:
        raise
    except (TypeError, UnicodeError) as error:  # half of a surrogate pair, a number where only text can be
        raise EncodeError(f"protobuf does not take it: {error}", expected=codec.expected) from error
    return literal


def _codec(
    error: type[LiteralError], literal_type: LiteralType | types_pb2.LiteralType | None, hint: Any, context: Context
) -> Codec:
    return Codecs(error, context).of(_message(literal_type), Any if hint is None else hint)


def _message(literal_type: LiteralType | types_pb2.LiteralType | None) -> types_pb2.LiteralType | None:
    return literal_type.to_flyte_idl() if isinstance(literal_type, LiteralType) else literal_type
