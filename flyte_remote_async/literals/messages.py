"""Protobuf messages: a Struct with their JSON form. Their classes are never imported by a name in a type."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import json_format, struct_pb2
from google.protobuf.message import Message

from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint", "from_type"]


class _Message(Codec):
    __slots__ = ("python",)
    tag = "Protobuf-Transformer"

    def __init__(self, python: type[Message]) -> None:
        super().__init__(python.DESCRIPTOR.full_name)
        self.python = python

    def decode(self, literal: literals_pb2.Literal) -> Any:
        # A message that is itself a list is written as a collection of literals.
        if literal.WhichOneof("value") == "collection" and self.python is struct_pb2.ListValue:
            from flyte_remote_async.literals.loose import ANY

            return self.build(ANY.decode(literal))
        return super().decode(literal)

    def build(self, value: Any) -> Any:
        try:
            return json_format.ParseDict(value, self.python())
        except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
            failure = self.mismatch(value)
            failure.reason += f": {error}"
            raise failure from error

    def encode(self, value: Any) -> literals_pb2.Literal:
        plain = self.dump(value)
        if not isinstance(plain, dict):
            raise self.refusal(value, "its JSON form is no object, which a Struct has to be")
        struct = struct_pb2.Struct()
        json_format.ParseDict(plain, struct)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=struct))

    def dump(self, value: Any) -> Any:
        if type(value) is not self.python:
            raise self.refusal(value)
        try:
            return json_format.MessageToDict(value)
        except (ValueError, TypeError) as error:
            raise self.refusal(value, str(error)) from error

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT

    def owns(self, value: Any) -> bool:
        return type(value) is self.python

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)


def from_type(declared: types_pb2.LiteralType) -> Codec | None:
    """Return the codec of a type that names a class which the program has imported already, else None.

    A name that somebody else chose is looked up and never imported; where it is not found the value is a dict.
    """
    name = declared.metadata.fields["pb_type"].string_value if "pb_type" in declared.metadata.fields else ""
    module, _, word = name.rpartition(".")
    python = vars(sys.modules[module]).get(word) if module in sys.modules else None
    return _Message(python) if isinstance(python, type) and issubclass(python, Message) else None


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a class of protobuf messages, else None."""
    del codecs, declared
    return _Message(hint) if isinstance(hint, type) and issubclass(hint, Message) else None
