"""Numbers, strings, booleans and None.

bool and int never mix, nothing is rounded or cut: a float is an int when it is whole (consoles write ints so), an int
is a float when a double holds it.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.literals import bulk, chunks
from flyte_remote_async.literals.base import Codec

if TYPE_CHECKING:
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["BOOL", "FLOAT", "INT", "NONE", "STR", "Primitive", "from_hint", "from_type"]

_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"-?[0-9]+")


_EXACT = frozenset({bool, float, int, str})  # the types that msgpack has as well


class Primitive(Codec):
    """A type with a primitive of its own."""

    __slots__ = ("exact", "field", "python", "simple", "tag")

    def __init__(self, python: type, field: str, simple: types_pb2.SimpleType) -> None:
        super().__init__(python.__name__)
        self.tag = self.expected
        self.python = python
        self.exact = python if python in _EXACT else None
        self.field = field
        self.simple = simple

    def decode(self, literal: literals_pb2.Literal) -> Any:
        """Return the value of a primitive, or of the other forms of a literal."""
        primitive = literal.scalar.primitive
        which = primitive.WhichOneof("value")
        if which == self.field:
            return self.read(primitive)
        if which is None:
            return super().decode(literal)
        return self.convert(literal, which)

    def decode_all(self, data: bytes, first: int) -> list[Any]:
        """Return the values of elements of a list; at once where all of them have the type's own form."""
        found = bulk.numbers(self.field, data) if self.field in bulk.NUMBERS else None
        return super().decode_all(data, first) if found is None else found

    def decode_entries(self, data: bytes) -> dict[str, Any] | None:
        """Return the values of entries of a map at once, where all of them have the type's own form."""
        return bulk.number_entries(self.field, data) if self.field in bulk.OF_ONE_LENGTH else None

    def read(self, primitive: literals_pb2.Primitive) -> Any:
        """Return the value of a primitive of the type's own form."""
        return getattr(primitive, self.field)

    def convert(self, literal: literals_pb2.Literal, which: str) -> Any:
        """Return the value of a primitive of another form, where that is safe."""
        del which
        raise self.misfit(literal)

    def build(self, value: Any) -> Any:
        """Return plain data that is of the type."""
        if type(value) is self.python:
            return value
        raise self.mismatch(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        """Return the literal of a value of the type."""
        try:
            primitive = literals_pb2.Primitive(**{self.field: self.dump(value)})
        except UnicodeError as error:  # a str with half of a surrogate pair
            raise self.refusal(value, str(error)) from error
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive))

    def dump(self, value: Any) -> Any:
        """Return a value of the type as it is."""
        if type(value) is self.python:
            return value
        raise self.refusal(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        """Tell whether the stored type is this simple type."""
        return stored.WhichOneof("type") == "simple" and stored.simple == self.simple

    def owns(self, value: Any) -> bool:
        """Tell whether the value is of the type itself."""
        return type(value) is self.python

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        """Tell whether the literal has the primitive of the type."""
        return literal.scalar.primitive.WhichOneof("value") in (self.field, None)

    def owns_plain(self, value: Any) -> bool:
        """Tell whether the data is of the type itself."""
        return type(value) is self.python


class _Int(Primitive):
    __slots__ = ()

    def convert(self, literal: literals_pb2.Literal, which: str) -> Any:
        if which != "float_value":
            raise self.misfit(literal)
        return self.build(literal.scalar.primitive.float_value)

    def build(self, value: Any) -> Any:
        if type(value) is float and value.is_integer():
            return int(value)
        return super().build(value)

    def build_key(self, key: Any) -> Any:
        return int(key) if isinstance(key, str) and _WHOLE.fullmatch(key) else self.build(key)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if type(value) is int and value not in _INT64:
            raise self.refusal(value, "it is beyond 64 bits")
        return super().encode(value)


class _Float(Primitive):
    __slots__ = ()

    def convert(self, literal: literals_pb2.Literal, which: str) -> Any:
        if which != "integer":
            raise self.misfit(literal)
        return self.build(literal.scalar.primitive.integer)

    def build(self, value: Any) -> Any:
        return float(value) if _is_exact(value) else super().build(value)

    def build_key(self, key: Any) -> Any:
        try:
            return float(key) if isinstance(key, str) else self.build(key)
        except ValueError:
            raise self.mismatch(key) from None

    def dump(self, value: Any) -> Any:
        if _is_exact(value):
            return float(value)
        if type(value) is int:
            raise self.refusal(value, "a double would round it")
        return super().dump(value)

    def dump_float(self, value: Any) -> Any:
        """Return a float, and refuse what could be made one."""
        if type(value) is float:
            return value
        raise self.refusal(value)


def _is_exact(value: Any) -> bool:
    try:
        return type(value) is int and int(float(value)) == value
    except OverflowError:
        return False


class _Str(Primitive):
    __slots__ = ()
    plain = "string_value"

    def decode_cut(self, data: bytes, start: int, end: int) -> Any:
        return chunks.read_text(data, start, end)

    def decode_all(self, data: bytes, first: int) -> list[Any]:
        found = bulk.texts(data)
        return Codec.decode_all(self, data, first) if found is None else found

    def dump(self, value: Any) -> Any:
        if isinstance(value, enum.Enum) and isinstance(value, str):
            return str(value.value)
        return super().dump(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "enum_type" or super().fits(stored)


class _Null(Codec):
    """None."""

    __slots__ = ()
    tag = "none"
    optional = True
    exact = type(None)

    def decode(self, literal: literals_pb2.Literal) -> Any:
        return None if literal.scalar.WhichOneof("value") == "none_type" else super().decode(literal)

    def build(self, value: Any) -> Any:
        if value is not None:
            raise self.mismatch(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        self.dump(value)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))

    def dump(self, value: Any) -> Any:
        if value is not None:
            raise self.refusal(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.NONE

    def owns_plain(self, value: Any) -> bool:
        return value is None


INT = _Int(int, "integer", types_pb2.INTEGER)
FLOAT = _Float(float, "float_value", types_pb2.FLOAT)
STR = _Str(str, "string_value", types_pb2.STRING)
BOOL = Primitive(bool, "boolean", types_pb2.BOOLEAN)
NONE = _Null("None")

_BY_HINT: dict[Any, Codec] = {
    int: INT,
    float: FLOAT,
    str: STR,
    bool: BOOL,
    type(None): NONE,
    None: NONE,
}
_BY_TYPE: dict[int, Codec] = {
    types_pb2.INTEGER: INT,
    types_pb2.FLOAT: FLOAT,
    types_pb2.STRING: STR,
    types_pb2.BOOLEAN: BOOL,
    types_pb2.NONE: NONE,
}


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is one of these types, else None."""
    del codecs, declared
    try:
        return _BY_HINT.get(hint)
    except TypeError:  # a hint that cannot be hashed is none of these
        return None


def from_type(declared: types_pb2.LiteralType) -> Codec | None:
    """Return the codec of a simple type, else None."""
    return _BY_TYPE.get(declared.simple)
