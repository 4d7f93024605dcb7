"""Enums: strings on the wire; the member where a hint gives the class, else the string."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2

from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from flyteidl.core import types_pb2

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["field_of_type", "from_hint", "from_type"]


class _Enum(Codec):
    """An enum with its class, or with the values that the declared type lists, or both."""

    __slots__ = ("allowed", "members")
    tag = "DefaultEnumTransformer"

    def __init__(self, members: type[enum.Enum] | None, allowed: tuple[str, ...] | None) -> None:
        super().__init__(members.__name__ if members else f"one of {', '.join(map(repr, allowed or ()))}")
        self.members = members
        self.allowed = allowed

    def decode(self, literal: literals_pb2.Literal) -> Any:
        which = literal.scalar.primitive.WhichOneof("value")
        if which is None:
            return super().decode(literal)
        if which != "string_value":
            raise self.misfit(literal)
        return self.build(literal.scalar.primitive.string_value)

    def build(self, value: Any) -> Any:
        if self.members is None:
            if value not in (self.allowed or ()):
                raise self.mismatch(value)
            return value
        try:
            member = self.members(value)
        except ValueError:
            raise self.mismatch(value) from None
        if isinstance(value, bool) != isinstance(member.value, bool):  # True == 1 finds the member of 1
            raise self.mismatch(value)
        return member

    def encode(self, value: Any) -> literals_pb2.Literal:
        text = self.dump(value)
        if not isinstance(text, str):
            raise self.refusal(value, "only enums of strings have a literal")
        return literals_pb2.Literal(
            scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=text)),
        )

    def dump(self, value: Any) -> Any:
        if self.members and isinstance(value, enum.Enum) and not isinstance(value, self.members):
            raise self.refusal(value)
        plain = value.value if isinstance(value, enum.Enum) else value
        known = self.allowed if self.allowed is not None else tuple(m.value for m in self.members or ())
        if plain not in known:
            raise self.refusal(value)
        return plain

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        which: str | None = stored.WhichOneof("type")
        return which == "enum_type"

    def resembles(self, declared: types_pb2.LiteralType) -> bool:
        values = [member.value for member in self.members] if self.members else list(self.allowed or ())
        return values == list(declared.enum_type.values)

    def owns(self, value: Any) -> bool:
        return isinstance(value, enum.Enum)


class _Field(_Enum):
    """An enum inside a record that no class describes: its string, whatever it says."""

    __slots__ = ()

    def build(self, value: Any) -> Any:
        return value


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is an Enum class, else None."""
    del codecs
    if not (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return None
    is_enum = declared is not None and declared.WhichOneof("type") == "enum_type"
    return _Enum(hint, tuple(declared.enum_type.values) if declared is not None and is_enum else None)


def from_type(declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of an enum type, whose values are strings."""
    return _Enum(None, tuple(declared.enum_type.values))


def field_of_type(declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of a field of an enum type in a record that is read as a dict."""
    return _Field(None, tuple(declared.enum_type.values))
