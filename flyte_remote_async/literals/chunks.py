"""Serialised literals, read in chunks: a long list never becomes a message, and no single call takes long.

Codecs come here with positions in the bytes of a literal. What has an unusual form is left to them, as a message.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import LiteralError
from flyte_remote_async.literals import bulk, wire
from flyte_remote_async.models.pieces import PIECE, merge_in_pieces
from flyte_remote_async.models.turns import take_turns
from flyte_remote_async.models.wire import (
    LENGTH_DELIMITED,
    UncutError,
    elements,
    field_at,
    fields,
    pair_at,
    plain_elements,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.models.wire import Field

__all__ = ["COLLECTION", "MAP", "inside", "kind_at", "read", "read_each", "read_list", "read_map", "read_text"]

# Field numbers of core.Literal, Scalar, Primitive, Binary and Union.
COLLECTION: Final = (2,)
MAP: Final = (3,)
_TEXT: Final = (1, 1, 3)
_BINARY: Final = (1, 3)
_UNION: Final = (1, 9)
_BESIDE: Final = frozenset({4, 5})  # hash and metadata, which say nothing of the value
_STRANGE: Final = "a field that only protobuf knows"


def inside(data: bytes, start: int, end: int, path: tuple[int, ...]) -> tuple[int, int] | None:
    """Return where the value of a literal is that lies between two positions; None when it is of another form.

    Raises:
        UncutError: The bytes are not cut here.
    """
    beside = _BESIDE
    for number in path:
        found = list(fields(data, start, end))
        if [(one.number, one.wire_type) for one in found[:1]] != [(number, LENGTH_DELIMITED)]:
            return None
        if any(one.number not in beside for one in found[1:]):
            return None
        start, end = found[0].start, found[0].end
        beside = frozenset()
    return start, end


def kind_at(data: bytes) -> str:
    """Return the kind of a long literal, for errors; as precise as its first bytes are."""
    return {1: "scalar", 2: "collection", 3: "map", 8: "offloaded"}.get(data[0] >> 3, "unknown")


def read(codec: Codec, data: bytes, start: int, end: int) -> Any:
    """Return the Python value of a literal that is no list and no map."""
    if end - start > PIECE:
        try:
            union = inside(data, start, end, _UNION)
            if union is not None:
                value, stored = pair_at(data, *union)
                inner = codec.within_union(types_pb2.LiteralType.FromString(data[stored.start : stored.end]))
                if inner is not None:
                    return inner.decode_bytes(data, value.start, value.end)
            payload = inside(data, start, end, _BINARY) if codec.is_packed else None
            if payload is not None:
                return codec.built("binary", lambda: _unpack(data, *payload))
        except UncutError:
            pass  # read below, or refused there
    whole = data if (start, end) == (0, len(data)) else data[start:end]
    return codec.decode(merge_in_pieces(literals_pb2.Literal, whole))


def _unpack(data: bytes, start: int, end: int) -> Any:
    value, tag = pair_at(data, start, end)
    if data[tag.start : tag.end] != wire.MSGPACK.encode():
        raise UncutError(data[tag.start : tag.end])
    return wire.unpack_in_pieces(data, value.start, value.end)


def read_text(data: bytes, start: int, end: int) -> str | None:
    """Return the string of a literal; None when it holds no string.

    Raises:
        UncutError: The bytes are not cut here.
    """
    text = inside(data, start, end, _TEXT)
    if text is None:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    start, end = text
    value = ""
    try:
        for at in range(start, end, PIECE):
            take_turns()
            # CPython lengthens a string in its place when nobody else knows it, so this copies nothing twice.
            value += decoder.decode(data[at : min(at + PIECE, end)])
        value += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UncutError(str(error)) from error
    return value


def read_list(element: Codec, data: bytes, start: int, end: int) -> list[Any]:
    """Return the values of a serialised ``LiteralCollection``.

    Raises:
        DecodeError: An element cannot be read; the error says which.
        UncutError: The bytes are not cut here.
    """
    values: list[Any] = []
    while start < end:
        take_turns()
        stop = _chunk_end(element.plain, data, start, end)
        if stop - start > 2 * PIECE:
            field = field_at(data, start, end)
            values += _one(element, data, field.start, field.end, len(values))
            stop = field.end
        else:
            values += element.decode_all(data[start:stop], len(values))
        start = stop
    return values


def _chunk_end(kind: str, data: bytes, start: int, end: int) -> int:
    """Return where a chunk of elements ends; a chunk of more than two pieces is one large element."""
    plain = plain_elements(kind).match(data, start, min(start + PIECE, end))
    if plain is not None and plain.end() - start > PIECE // 2:
        return plain.end()
    stop = elements(data, start, end, 1, PIECE)
    if stop == start:
        raise UncutError(_STRANGE)
    return stop


def _one(codec: Codec, data: bytes, start: int, end: int, index: int) -> list[Any]:
    try:
        return [codec.decode_bytes(data, start, end)]
    except LiteralError as error:
        raise error.within(f"[{index}]") from error.__cause__


_BRIEF: Final = 512  # bytes of a nested list from which on cutting it is faster than parsing it


def read_each(codec: Codec, data: bytes, first: int) -> list[Any] | None:
    """Return the values of serialised elements that are lists or maps themselves; None where they are all short."""
    found = list(fields(data, 0, len(data)))
    if any(field.number != 1 or field.wire_type != LENGTH_DELIMITED for field in found):
        raise UncutError(_STRANGE)
    if len(data) < _BRIEF * len(found):
        return None
    return [one for at, field in enumerate(found, first) for one in _one(codec, data, field.start, field.end, at)]


def read_map(codec: Codec, data: bytes, start: int, end: int) -> dict[str, Any]:
    """Return the values of a serialised ``LiteralMap`` by key.

    Raises:
        DecodeError: A value cannot be read; the error says which.
        UncutError: The bytes are not cut here.
    """
    values: dict[str, Any] = {}
    while start < end:
        take_turns()
        stop = elements(data, start, end, 1, PIECE)
        if stop == start:
            raise UncutError(_STRANGE)
        if stop - start > 2 * PIECE:
            field = field_at(data, start, end)
            values.update(_entry(codec, data, field))
            stop = field.end
        else:
            values.update(_entries(codec, data[start:stop]))
        start = stop
    return values


def _entries(codec: Codec, data: bytes) -> dict[str, Any]:
    done = codec.decode_entries(data)
    if done is not None:
        return done
    found = bulk.entries(data)
    if found is not None:
        keys, values = found
        try:
            return dict(zip(keys, codec.decode_all(values, 0), strict=True))
        except LiteralError:
            pass  # read again, to say under which key
    literals = literals_pb2.LiteralMap.FromString(data).literals
    return {key: _named(key, codec.decode, literals[key]) for key in literals}


def _entry(codec: Codec, data: bytes, field: Field) -> dict[str, Any]:
    key, value = pair_at(data, field.start, field.end)
    try:
        name = str(data[key.start : key.end], "utf-8")
    except UnicodeDecodeError as error:
        raise UncutError(str(error)) from error
    return {name: _named(name, lambda at: codec.decode_bytes(data, *at), (value.start, value.end))}


def _named(key: str, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except LiteralError as error:
        raise error.within(f"[{key!r}]") from error.__cause__
