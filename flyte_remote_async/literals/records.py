"""Records without a class: msgpack, or a Struct by older SDKs, as a dict whose fields have their declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.core import types_pb2

from flyte_remote_async.errors import DecodeError, LiteralError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec, step
from flyte_remote_async.literals.loose import ANY, fields_of
from flyte_remote_async.literals.primitives import FLOAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flyteidl.core import literals_pb2

__all__ = ["difference", "is_called", "open_record", "record_of"]


class _Record(Codec):
    """A dict with known fields. Fields that the type does not know are left out, as flytekit does."""

    __slots__ = ("fields", "required")
    tag = "Object-Dataclass-Transformer"

    def __init__(self, name: str, fields: Mapping[str, Codec], required: Iterable[str]) -> None:
        super().__init__(name)
        self.fields = fields
        self.required = [name for name in required if name in fields]

    def build(self, value: Any) -> Any:
        if type(value) is not dict:
            raise self.mismatch(value)
        fields = self.fields
        done: dict[str, Any] = {}
        name = ""
        try:
            for name, item in value.items():
                codec = fields.get(name)
                if codec is not None:
                    done[name] = item if type(item) is codec.exact else codec.build(item)
        except LiteralError as error:
            raise error.within(f".{name}") from error.__cause__
        if len(done) < len(fields):
            self._check(done)
        return done

    def _check(self, done: dict[str, Any]) -> None:
        name = next((name for name in self.required if name not in done), None)
        if name is not None:
            raise DecodeError("the field is missing", expected=self.fields[name].expected).within(f".{name}")

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        items = fields_of(value)
        if items is None:
            raise self.refusal(value)
        unknown = [name for name in items if name not in self.fields]
        missing = [name for name, codec in self.fields.items() if name not in items and not codec.optional]
        if unknown or missing:
            raise self.refusal(value, difference(unknown, missing))
        # In a dict nobody said that the 2 of a float field is meant as one; in a dataclass its class did.
        strict = items is value
        return {name: step(f".{name}", self._dump(name, strict=strict), item) for name, item in items.items()}

    def _dump(self, name: str, *, strict: bool) -> Callable[[Any], Any]:
        codec = self.fields[name]
        return FLOAT.dump_float if strict and codec is FLOAT else codec.dump

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


def record_of(name: str, fields: Mapping[str, Codec], required: Iterable[str] = ()) -> Codec:
    """Return the codec of a dict with known fields.

    Args:
        name: What the record is called.
        fields: Its fields.
        required: Those that have no default: a value without one of them is of another type.
    """
    return _Record(name, fields, required)


def open_record(name: str) -> Codec:
    """Return the codec of a record whose fields nobody knows."""
    return _Open(name)


def is_called(declared: types_pb2.LiteralType, name: str) -> bool:
    """Tell whether the schema of a STRUCT type has a name as its title."""
    return "title" in declared.metadata.fields and declared.metadata.fields["title"].string_value == name


def difference(unknown: list[Any], missing: list[str]) -> str:
    """Return in words how the fields of a value differ from those of its type."""
    parts = [f"unknown: {', '.join(map(str, unknown))}"] if unknown else []
    parts += [f"missing: {', '.join(missing)}"] if missing else []
    return f"the fields differ ({'; '.join(parts)})"
