"""Dataclasses: msgpack, or a Struct by older SDKs; the class where a hint gives it, else a dict.

A class is filled strictly: nothing is coerced as ``bool("false")`` would be, keys that it does not have are ignored,
absent ones take its defaults. Without a class the declared type's fields are read, each by its own type.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from flyteidl.core import types_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec, step
from flyte_remote_async.literals.loose import ANY, fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.core import literals_pb2

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint", "open_record", "record_of"]


class _Record(Codec):
    """A dict with known fields. Fields that the type does not know are left out, as flytekit does."""

    __slots__ = ("fields",)
    tag = "Object-Dataclass-Transformer"

    def __init__(self, name: str, fields: Mapping[str, Codec]) -> None:
        super().__init__(name)
        self.fields = fields

    def build(self, value: Any) -> Any:
        if type(value) is not dict:
            raise self.mismatch(value)
        fields = self.fields
        return {name: step(f".{name}", fields[name].build, item) for name, item in value.items() if name in fields}

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        items = fields_of(value)
        if items is None:
            raise self.refusal(value)
        unknown = [name for name in items if name not in self.fields]
        missing = [name for name, codec in self.fields.items() if name not in items and not codec.optional]
        if unknown or missing:
            raise self.refusal(value, _difference(unknown, missing))
        return {name: step(f".{name}", self.fields[name].dump, item) for name, item in items.items()}

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT

    def owns(self, value: Any) -> bool:
        items = fields_of(value) or {}
        return all(name in self.fields and self.fields[name].owns(item) for name, item in items.items())

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)


class _Open(Codec):
    """A dict or dataclass whose type says that it has fields, and not which."""

    __slots__ = ()
    tag = "Object-Dataclass-Transformer"

    def build(self, value: Any) -> Any:
        if type(value) is not dict:
            raise self.mismatch(value)
        return value

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        if fields_of(value) is None:
            raise self.refusal(value)
        return ANY.dump(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT


class _Field(NamedTuple):
    name: str
    codec: Codec
    required: bool


class _Class(Codec):
    """A dataclass. Its fields are looked up when the first value comes: a class may refer to itself."""

    __slots__ = ("_fields", "codecs", "python")
    tag = "Object-Dataclass-Transformer"

    def __init__(self, codecs: Codecs, python: type) -> None:
        super().__init__(python.__name__)
        self.codecs = codecs
        self.python = python
        self._fields: list[_Field] | None = None

    @property
    def fields(self) -> list[_Field]:
        if self._fields is None:
            self._fields = self._look_up()
        return self._fields

    def build(self, value: Any) -> Any:
        if type(value) is not dict:
            raise self.mismatch(value)
        arguments: dict[str, Any] = {}
        for name, codec, required in self.fields:
            if name in value:
                arguments[name] = step(f".{name}", codec.build, value[name])
            elif required:
                raise DecodeError("the field is missing", expected=codec.expected).within(f".{name}")
        try:
            return self.python(**arguments)
        except Exception as error:
            reason = f"the class refused its fields: {type(error).__name__}: {error}"
            raise DecodeError(reason, expected=self.expected) from error

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        if type(value) is self.python:
            return {name: step(f".{name}", codec.dump, getattr(value, name)) for name, codec, _ in self.fields}
        if not isinstance(value, dict):
            raise self.refusal(value)
        known = {field.name for field in self.fields}
        unknown = [name for name in value if name not in known]
        missing = [field.name for field in self.fields if field.required and field.name not in value]
        if unknown or missing:
            raise self.refusal(value, _difference(unknown, missing))
        return {name: step(f".{name}", codec.dump, value[name]) for name, codec, _ in self.fields if name in value}

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT

    def owns(self, value: Any) -> bool:
        return type(value) is self.python or isinstance(value, dict)

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)

    def _look_up(self) -> list[_Field]:
        try:
            hints = get_type_hints(self.python, include_extras=True)
        except (NameError, TypeError, SyntaxError) as error:
            raise self.codecs.failure(f"its annotations cannot be resolved: {error}", self.expected) from error
        missing = dataclasses.MISSING
        return [
            _Field(one.name, self.codecs.of(None, hints[one.name]), one.default is one.default_factory is missing)
            for one in dataclasses.fields(self.python)
            if one.init
        ]


class _Bytes(Codec):
    """Bytes inside a payload."""

    __slots__ = ()

    def build(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return value
        raise self.mismatch(value)

    def dump(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return value
        raise self.refusal(value)

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, bytes)


_BYTES = _Bytes("bytes")


def record_of(name: str, fields: Mapping[str, Codec]) -> Codec:
    """Return the codec of a dict with known fields."""
    return _Record(name, fields)


def open_record(name: str) -> Codec:
    """Return the codec of a record whose fields nobody knows."""
    return _Open(name)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a dataclass, or that only a field of one can have, else None."""
    del declared
    if hint is bytes:
        return _BYTES
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        return None
    return codecs.classes.setdefault(hint, _Class(codecs, hint))


def _difference(unknown: list[Any], missing: list[str]) -> str:
    parts = [f"unknown: {', '.join(map(str, unknown))}"] if unknown else []
    parts += [f"missing: {', '.join(missing)}"] if missing else []
    return f"the fields differ ({'; '.join(parts)})"
