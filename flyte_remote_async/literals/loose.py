"""Values of no declared type: a literal says itself what it is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import sys
from typing import TYPE_CHECKING, Any

from flyte_remote_async.errors import DecodeError, EncodeError
from flyte_remote_async.literals import bulk, chunks
from flyte_remote_async.literals.base import Codec, describe, each, step
from flyte_remote_async.literals.primitives import BOOL, FLOAT, INT, NONE, STR
from flyte_remote_async.literals.times import DATETIME, TIMEDELTA

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import literals_pb2, types_pb2

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["ANY", "any_of", "fields_of", "is_model"]


class _Any(Codec):
    __slots__ = ("_codecs",)
    optional = True
    is_packed = True

    def __init__(self, codecs: Codecs | None = None) -> None:
        super().__init__("Any")
        self._codecs = codecs

    def decode(self, literal: literals_pb2.Literal) -> Any:
        which = literal.WhichOneof("value")
        if which == "collection":
            return each(self.decode, literal.collection.literals)
        if which == "map":
            literals = literal.map.literals
            return {key: step(f"[{key!r}]", self.decode, literals[key]) for key in literals}
        form = literal.scalar.WhichOneof("value")
        if form == "primitive":
            codec = _BY_FIELD.get(literal.scalar.primitive.WhichOneof("value") or "")
            return codec.decode(literal) if codec else super().decode(literal)
        if form == "none_type":
            return NONE.decode(literal)
        return self._other(form).decode(literal) if form in _STORED else super().decode(literal)

    def decode_cut(self, data: bytes, start: int, end: int) -> Any:
        found = chunks.inside(data, start, end, chunks.COLLECTION)
        if found is not None:
            return chunks.read_list(self, data, *found)
        found = chunks.inside(data, start, end, chunks.MAP)
        if found is not None:
            return chunks.read_map(self, data, *found)
        return chunks.read_text(data, start, end)

    def decode_all(self, data: bytes, first: int) -> list[Any]:
        for field in bulk.NUMBERS:
            numbers = bulk.numbers(field, data)
            if numbers is not None:
                return numbers
        found = bulk.texts(data) or chunks.read_each(self, data, first)
        return super().decode_all(data, first) if found is None else found

    def within_union(self, stored: types_pb2.LiteralType) -> Codec | None:
        return self if stored.WhichOneof("type") is None else self.codecs.of(stored)

    @property
    def codecs(self) -> Codecs:
        # Imported here: the registry knows all kinds, this one too.
        from flyte_remote_async.literals.registry import Codecs

        return self._codecs or Codecs(DecodeError)

    def _other(self, form: str) -> Codec:
        """Return the codec of a literal that says itself where and what it is."""
        return self.codecs.of_form(form)

    def generic(self, literal: literals_pb2.Literal) -> Any:
        return self.codecs.generic(literal)

    def build(self, value: Any) -> Any:
        return value

    def dump(self, value: Any) -> Any:
        return _plain(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        del stored
        return True

    def _unwrap(self, union: literals_pb2.Union) -> Any:
        if union.type.WhichOneof("type") is None:
            return self.decode(union.value)
        return self.codecs.of(union.type).decode(union.value)


_STORED = frozenset({"blob", "schema", "structured_dataset", "error"})
ANY = _Any()
_BY_FIELD: dict[str, Codec] = {one.field: one for one in (INT, FLOAT, STR, BOOL, DATETIME, TIMEDELTA)}


def any_of(codecs: Codecs) -> Codec:
    """Return the codec of values without a declared type, which may lie in storage."""
    return _Any(codecs)


def fields_of(value: object) -> dict[Any, Any] | None:
    """Return a dict as it is, a record as its fields, a pydantic model as its JSON form; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.init}
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return {one.name: getattr(value, one.name) for one in attributes if one.init}
    return _model_fields(value) if is_model(type(value)) else None


def _model_fields(value: Any) -> dict[Any, Any]:
    try:
        fields: dict[Any, Any] = json.loads(value.model_dump_json())
    except (ValueError, TypeError, RecursionError) as error:
        raise EncodeError(f"got {describe(value)}, which has no JSON form: {error}") from error
    return fields


def is_model(python: Any) -> bool:
    """Tell whether a class is a pydantic model; pydantic is not imported for that."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(python, type) and issubclass(python, pydantic.BaseModel)


def _plain(value: Any) -> Any:
    """Return the plain data of a value, in the forms that dataclasses have in msgpack."""
    if value is None or (isinstance(value, (bool, int, float, str, bytes)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, dict):
        return {_plain(key): step(f"[{key!r}]", _plain, item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return each(_plain, value)
    for python, render in _SCALARS:
        if isinstance(value, python):
            return render(value)
    fields = fields_of(value)
    if fields is None:
        raise EncodeError(f"got {describe(value)}, which has no plain form")
    return {name: step(f".{name}", _plain, item) for name, item in fields.items()}


_SCALARS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (enum.Enum, lambda member: _plain(member.value)),
    (dt.date, lambda day: day.isoformat()),  # datetimes too
    (dt.timedelta, dt.timedelta.total_seconds),
)
