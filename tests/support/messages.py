"""Hypothesis strategies for protobuf messages of any type, with fields that this version of the type does not know."""

from __future__ import annotations

import functools
from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["is_repeated", "messages", "unknown_fields"]

M = TypeVar("M", bound=Message)

_F = FieldDescriptor
_INT32 = st.integers(-(2**31), 2**31 - 1)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS: dict[int, SearchStrategy[Any]] = {
    _F.CPPTYPE_INT32: _INT32,
    _F.CPPTYPE_INT64: _INT64,
    _F.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    _F.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    # A message with NaN in it is not equal to itself.
    _F.CPPTYPE_DOUBLE: st.floats(allow_nan=False),
    _F.CPPTYPE_FLOAT: st.floats(allow_nan=False, width=32),
    _F.CPPTYPE_BOOL: st.booleans(),
    _F.CPPTYPE_ENUM: st.one_of(st.integers(0, 12), _INT32),
}


@functools.cache
def is_repeated(field: Any) -> bool:
    """Return whether a field holds many values; protobuf's ways to ask a descriptor differ from release to release."""
    empty = getattr(message_factory.GetMessageClass(field.containing_type)(), field.name)
    return isinstance(empty, MutableSequence) and not isinstance(empty, Message)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


@st.composite
def unknown_fields(draw: DrawFn, descriptor: Any) -> bytes:
    """Draw the bytes of one field that the type does not have."""
    highest = max(descriptor.fields_by_number, default=0)
    numbers = st.one_of(st.integers(highest + 1, highest + 20), st.integers(20_000, 2**29 - 1))
    number = draw(numbers)
    wire_type = draw(st.sampled_from([0, 1, 2, 5]))
    tag = _varint(number << 3 | wire_type)
    if wire_type == 0:
        return tag + _varint(draw(st.integers(0, 2**64 - 1)))
    if wire_type == 2:
        content = draw(st.binary(max_size=8))
        return tag + _varint(len(content)) + content
    size = {1: 8, 5: 4}[wire_type]
    return tag + draw(st.binary(min_size=size, max_size=size))


@st.composite
def messages(draw: DrawFn, message_type: type[M], *, depth: int = 4, unknown: bool = True) -> M:
    """Draw a message of a type.

    Args:
        draw: Hypothesis' own.
        message_type: Class of the message.
        depth: How deep messages are inside each other at most.
        unknown: Whether fields that the type does not have may be in it, at any level.
    """
    message = message_type()
    fields = message_type.DESCRIPTOR.fields
    usable = [field for field in fields if depth > 0 or field.message_type is None]
    if usable:
        for field in draw(st.lists(st.sampled_from(usable), max_size=4, unique_by=lambda field: field.number)):
            _fill(draw, message, field, depth=depth - 1, unknown=unknown)
    if unknown and draw(st.booleans()):
        message.MergeFromString(draw(unknown_fields(message_type.DESCRIPTOR)))
    return message


def _fill(draw: DrawFn, message: Message, field: Any, *, depth: int, unknown: bool) -> None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        _fill_map(draw, getattr(message, field.name), entry, depth=depth, unknown=unknown)
    elif is_repeated(field):
        values = draw(st.lists(_value(field, depth=depth, unknown=unknown), max_size=3))
        getattr(message, field.name).extend(values)
    elif entry is not None:
        getattr(message, field.name).CopyFrom(draw(_value(field, depth=depth, unknown=unknown)))
    else:
        setattr(message, field.name, draw(_value(field, depth=depth, unknown=unknown)))


def _fill_map(draw: DrawFn, target: Any, entry: Any, *, depth: int, unknown: bool) -> None:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    keys = draw(st.lists(_value(key, depth=depth, unknown=unknown), max_size=3, unique=True))
    for name in keys:
        drawn = draw(_value(value, depth=depth, unknown=unknown))
        if value.message_type is not None:
            target[name].CopyFrom(drawn)
        else:
            target[name] = drawn


def _value(field: Any, *, depth: int, unknown: bool) -> SearchStrategy[Any]:
    if field.message_type is not None:
        inner = message_factory.GetMessageClass(field.message_type)
        return messages(inner, depth=depth, unknown=unknown)
    if field.cpp_type == _F.CPPTYPE_STRING:
        return st.binary(max_size=8) if field.type == _F.TYPE_BYTES else _TEXT
    return _SCALARS[field.cpp_type]
