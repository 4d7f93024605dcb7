"""The wire format of protobuf, as far as messages are cut by it. Source: "Encoding" in protobuf's documentation."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LENGTH_DELIMITED",
    "Field",
    "UncutError",
    "elements",
    "field_at",
    "fields",
    "header",
    "pair_at",
    "plain_elements",
    "plain_entries",
    "varint",
]

LENGTH_DELIMITED: Final = 2
_LONGEST_VARINT: Final = 63
_MORE: Final = 0x80


_CUT_OFF: Final = "the message is cut off"
_NO_PAIR: Final = "not a field 1 and then a field 2"


class UncutError(ValueError):
    """Bytes that are not cut here: damaged, or in a form that only protobuf itself knows."""


class Field(NamedTuple):
    """Where one field is in the bytes of a message.

    Attributes:
        number: Its number.
        wire_type: How it is written.
        begin: Where its tag is.
        start: Where its value is.
        end: Where the next field is.
    """

    number: int
    wire_type: int
    begin: int
    start: int
    end: int


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position, and where the next thing is.

    Raises:
        UncutError: There is none.
    """
    value = shift = 0
    while True:
        if position >= len(data) or shift > _LONGEST_VARINT:
            raise UncutError(_CUT_OFF)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, position
        shift += 7


def field_at(data: bytes, position: int, end: int) -> Field:
    """Return the field at a position.

    Raises:
        UncutError: It goes beyond the end, or is a group (an old form that is not cut here).
    """
    tag, start = varint(data, position)
    match tag & 7:
        case 0:
            _, stop = varint(data, start)
        case 1:
            stop = start + 8
        case 2:
            length, start = varint(data, start)
            stop = start + length
        case 5:
            stop = start + 4
        case wire_type:
            reason = f"wire type {wire_type} at byte {position}"
            raise UncutError(reason)
    if stop > end:
        raise UncutError(_CUT_OFF)
    return Field(tag >> 3, tag & 7, position, start, stop)


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message that lies between two positions; raises as :func:`field_at`."""
    while start < end:
        field = field_at(data, start, end)
        yield field
        start = field.end


def pair_at(data: bytes, start: int, end: int) -> tuple[Field, Field]:
    """Return the fields 1 and 2 of a message that has just these: the key and value of an entry of a map, for one.

    Raises:
        UncutError: It is not a first and then a second one, of which each has a length.
    """
    inner = list(fields(data, start, end))
    if [(one.number, one.wire_type) for one in inner] != [(1, LENGTH_DELIMITED), (2, LENGTH_DELIMITED)]:
        raise UncutError(_NO_PAIR)
    return inner[0], inner[1]


def header(number: int, length: int) -> bytes:
    """Return what stands before a value of known length: the tag and the length."""
    return _number(number << 3 | LENGTH_DELIMITED) + _number(length)


def _number(value: int) -> bytes:
    written = bytearray()
    while value >= _MORE:
        written.append(value & 0x7F | _MORE)
        value >>= 7
    written.append(value)
    return bytes(written)


def elements(data: bytes, start: int, end: int, number: int, piece: int) -> int:
    """Return where a run of values of one field ends: at another field, after about a piece, or before a large one.

    Raises:
        UncutError: A value goes beyond the end.
    """
    tag = number << 3 | LENGTH_DELIMITED
    stop = min(start + piece, end)
    position = start
    # This loop runs for each element of a list of millions: no calls for the common short ones.
    while position < stop and data[position] == tag:
        length = data[position + 1] if position + 1 < end else _MORE
        if length < _MORE:
            position += 2 + length
            continue
        after = field_at(data, position, end).end
        if after - position > piece and position > start:
            break
        position = after
    if position > end:
        raise UncutError(_CUT_OFF)
    return position


# Patterns of elements of a list of literals, and of entries of a map of them, that hold one primitive each and nothing
# else. The lengths of all messages around the primitive are spelled out, so what matches is what protobuf reads.


def _literal(primitive: bytes, length: int) -> bytes:
    """Return the pattern of a literal with its length, by its primitive."""
    return b"%b\n%b\n%b%b" % (*(_byte(length + frame) for frame in (4, 2, 0)), primitive)


def _byte(value: int) -> bytes:
    return re.escape(bytes((value,)))


_SHORT: Final = range(122)  # longer strings make lengths of two bytes
_BOOLEAN: Final = _literal(rb"\x20[\x00\x01]", 2)
_FLOAT: Final = _literal(rb"\x11.{8}", 9)
_INTEGERS: Final = (
    _literal(rb"\x08[\x00-\x7f]", 2),
    *(_literal(rb"\x08[\x80-\xff]{%d}[\x01-\x7f]" % (more,), 2 + more) for more in range(1, 9)),
    _literal(rb"\x08[\x80-\xff]{9}\x01", 11),
)
_KINDS: Final = {
    "boolean": (_BOOLEAN,),
    "float_value": (_FLOAT,),
    "integer": _INTEGERS,
    "": (*_INTEGERS, _FLOAT, _BOOLEAN),
}
_ENTRIES: Final = {"boolean": (_BOOLEAN, 6), "float_value": (_FLOAT, 13)}


@functools.cache
def plain_elements(field: str = "") -> re.Pattern[bytes]:
    """Return what matches serialised elements of a list of literals that hold a primitive each, as protobuf writes it.

    Args:
        field: The field of the primitive: ``"boolean"``, ``"float_value"``, ``"integer"``, or ``"string_value"`` for
            short strings, which may still be no UTF-8; empty for any number.
    """
    # Compiled when it is first needed: it takes milliseconds. Possessive: the run ends at the first other element.
    return re.compile(b"(?:\n(?:%b))*+" % b"|".join(_KINDS.get(field) or _texts()), re.DOTALL)


def _texts() -> Iterator[bytes]:
    return (_literal(b"\x1a%b.{%d}" % (_byte(size), size), 2 + size) for size in _SHORT)


@functools.cache
def plain_entries(field: str) -> re.Pattern[bytes]:
    """Return the same for entries of a map with short keys, whose literals all have one length.

    Args:
        field: The field of the primitive: ``"boolean"`` or ``"float_value"``.
    """
    literal, length = _ENTRIES[field]
    keys = (b"%b\n%b.{%d}" % (_byte(size + length + 4), _byte(size), size) for size in range(124 - length))
    return re.compile(b"(?:\n(?:%b)\x12%b)*+" % (b"|".join(keys), literal), re.DOTALL)
