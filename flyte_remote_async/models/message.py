"""A frozen value over the bytes of one protobuf message: the base of all that mirrors a Flyte message.

A value keeps its own bytes and nothing of the reply that it came in, so that one node kept from a large page does not
keep the page. Typed properties of a subclass read the bytes when they are first asked for. Nothing is lost on the way:
fields that a newer server added are in the bytes and come out of ``to_flyte_idl`` again.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import attrs
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message as ProtobufMessage

from flyte_remote_async.errors import MalformedMessageError

__all__ = ["MessageValue", "canonical_bytes", "parse"]

M = TypeVar("M", bound=ProtobufMessage)


def canonical_bytes(message: ProtobufMessage) -> bytes:
    """Return the bytes of a message with its maps in a fixed order: equal content gives equal bytes."""
    return message.SerializeToString(deterministic=True)


def parse(message_type: type[M], data: bytes) -> M:
    """Return the message that bytes hold.

    Raises:
        MalformedMessageError: The bytes are not such a message.
    """
    try:
        return message_type.FromString(data)
    except ProtobufDecodeError as error:
        name = message_type.DESCRIPTOR.full_name
        reason = f"{len(data)} bytes are not a {name}: {error}"
        raise MalformedMessageError(reason) from error


@attrs.frozen(repr=False)
class MessageValue(Generic[M]):
    """A frozen value over the bytes of one protobuf message.

    Two values are equal when their messages are; values hash by content, unless a subclass has an identity to hash by.
    """

    message_type: ClassVar[type[Any]]

    _data: bytes

    @classmethod
    def from_flyte_idl(cls, p: M) -> Self:
        """Return the value of a protobuf message; later changes to the message do not show in it.

        Args:
            p: A message of :attr:`message_type`.
        """
        return cls(canonical_bytes(p))

    @classmethod
    def from_string(cls, data: bytes) -> Self:
        """Return the value of a serialised message.

        Args:
            data: The bytes, as :meth:`serialize_to_string` gives them.

        Raises:
            MalformedMessageError: The bytes are not such a message.
        """
        return cls.from_flyte_idl(parse(cls.message_type, data))

    def to_flyte_idl(self) -> M:
        """Return the protobuf message: a copy, with all fields that came in, unknown ones too."""
        return cast("M", self.message_type.FromString(self._data))

    def serialize_to_string(self) -> bytes:
        """Return the message's bytes."""
        return self._data

    @property
    def is_empty(self) -> bool:
        """Whether the message serialises to no bytes at all."""
        return not self._data

    def to_dict(self) -> dict[str, Any]:
        """Return the message as JSON-ready data, by protobuf's JSON mapping with the fields' own names.

        Enums are names, 64-bit integers are decimal strings, bytes are base64, times are RFC 3339 strings, durations
        are strings such as ``"1.5s"``. Source: the ProtoJSON format of protobuf.
        """
        from google.protobuf import json_format  # seldom needed, and dear to import

        return json_format.MessageToDict(self.to_flyte_idl(), preserving_proto_field_name=True)

    def short_string(self) -> str:
        """Return ``Flyte Serialized object (Class):`` and the message, field by field, indented."""
        return f"Flyte Serialized object ({type(self).__name__}):\n{_indented(self.to_flyte_idl())}"

    def verbose_string(self) -> str:
        """Return the same as :meth:`short_string`."""
        return self.short_string()

    def __repr__(self) -> str:
        from google.protobuf import text_format  # seldom needed, and dear to import

        text = text_format.MessageToString(self.to_flyte_idl(), as_one_line=True, as_utf8=True)
        return f"{type(self).__name__}({text if len(text) <= _REPR_LIMIT else text[:_REPR_LIMIT] + '…'})"

    def _repr_html_(self) -> str:
        import html  # only notebooks ask for it

        return f"<pre>{html.escape(self.short_string())}</pre>"


_REPR_LIMIT = 300


def _indented(message: ProtobufMessage) -> str:
    from google.protobuf import text_format  # seldom needed, and dear to import

    text = text_format.MessageToString(message, print_unknown_fields=True, as_utf8=True)
    return "\n".join(f"  {line}" for line in text.splitlines())
