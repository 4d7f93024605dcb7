"""Records with a class: dataclasses, attrs classes and TypedDicts; and named tuples inside a payload.

A class is filled strictly: nothing is coerced as ``bool("false")`` would be, keys that it does not have are ignored,
absent ones take its defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, get_origin

from flyteidl.core import types_pb2

from flyte_remote_async.errors import DecodeError, LiteralError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec, step
from flyte_remote_async.literals.records import difference, is_called
from flyte_remote_async.literals.shapes import is_named_tuple, is_record, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import literals_pb2

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint"]


_MISSING = "the field is missing"


class _Part(NamedTuple):
    name: str
    argument: str
    codec: Codec
    required: bool


# How a part of a payload becomes an argument: its name there and here, the type of which it is taken as it is, what
# builds it otherwise, and its type in words where it must not be missing. Python takes plain tuples apart fastest.
_Way: TypeAlias = tuple[str, str, type | None, "Callable[[Any], Any]", str]


class _Class(Codec):
    """A record. Its fields are looked up when the first value comes: a class may refer to itself."""

    __slots__ = ("_parts", "_read", "_ways", "codecs", "hint", "python")
    tag = "Object-Dataclass-Transformer"

    def __init__(self, codecs: Codecs, hint: Any) -> None:
        self.python: Any = get_origin(hint) or hint
        super().__init__(self.python.__name__)
        self.codecs = codecs
        self.hint = hint
        self._parts: list[_Part] | None = None
        self._ways: list[_Way] = []
        self._read: Callable[[Any, str], Any] = getattr

    @property
    def parts(self) -> list[_Part]:
        if self._parts is None:
            self._parts = self._look_up()
        return self._parts

    def build(self, value: Any) -> Any:
        if type(value) is not dict:
            raise self.mismatch(value)
        arguments: dict[str, Any] = {}
        ways = self._ways or self._look_at_parts()
        name = ""
        try:
            for name, argument, exact, build, required in ways:
                if name in value:
                    item = value[name]
                    arguments[argument] = item if type(item) is exact else build(item)
                elif required:
                    raise DecodeError(_MISSING, expected=required)
        except LiteralError as error:
            raise error.within(f".{name}") from error.__cause__
        return self._make(arguments)

    def _look_at_parts(self) -> list[_Way]:
        self._ways = [
            (one.name, one.argument, one.codec.exact, one.codec.build, one.codec.expected if one.required else "")
            for one in self.parts
        ]
        return self._ways

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        read = self._read
        if type(value) is self.python:
            parts = self.parts
            return {name: step(f".{name}", codec.dump, read(value, name)) for name, _, codec, _ in parts}
        if not isinstance(value, dict):
            raise self.refusal(value)
        known = {part.name for part in self.parts}
        unknown = [name for name in value if name not in known]
        missing = [part.name for part in self.parts if part.required and part.name not in value]
        if unknown or missing:
            raise self.refusal(value, difference(unknown, missing))
        return {name: step(f".{name}", codec.dump, value[name]) for name, _, codec, _ in self.parts if name in value}

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT

    def resembles(self, declared: types_pb2.LiteralType) -> bool:
        return is_called(declared, self.expected)

    def owns(self, value: Any) -> bool:
        return type(value) is self.python or isinstance(value, dict)

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)

    def _make(self, arguments: dict[str, Any]) -> Any:
        try:
            return self.python(**arguments)
        except Exception as error:
            reason = f"the class refused its fields: {type(error).__name__}: {error}"
            raise DecodeError(reason, expected=self.expected) from error

    def _look_up(self) -> list[_Part]:
        try:
            shape = shape_of(self.hint)
        except (NameError, TypeError, SyntaxError, AttributeError, KeyError) as error:
            raise self.codecs.failure(f"its annotations cannot be resolved: {error}", self.expected) from error
        self._read = shape.read
        return [_Part(one.name, one.argument, self.codecs.of(None, one.hint), one.required) for one in shape.fields]


class _NamedTuple(_Class):
    """A named tuple inside a payload, which has it as a list."""

    __slots__ = ()

    def build(self, value: Any) -> Any:
        if isinstance(value, dict):
            return super().build(value)
        required = sum(part.required for part in self.parts)
        if type(value) is not list or not required <= len(value) <= len(self.parts):
            raise self.mismatch(value)
        pairs = zip(self.parts, value, strict=False)
        return self._make({part.argument: step(f".{part.name}", part.codec.build, item) for part, item in pairs})

    def encode(self, value: Any) -> literals_pb2.Literal:
        raise self.refusal(value, "Flyte passes the parts of a named tuple as values of their own")

    def dump(self, value: Any) -> Any:
        if type(value) is not self.python:
            raise self.refusal(value)
        pairs = zip(self.parts, value, strict=True)
        return [step(f".{part.name}", part.codec.dump, item) for part, item in pairs]

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, list)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a record class, else None."""
    del declared
    python = get_origin(hint) or hint
    kind = _Class if is_record(python) else _NamedTuple if is_named_tuple(python) else None
    if kind is None:
        return None
    try:
        return codecs.classes.setdefault(hint, kind(codecs, hint))
    except TypeError:  # a parameter that cannot be hashed, such as an annotation that is a dict
        return kind(codecs, hint)
