"""Many elements of one form at once, straight from their bytes.

Reading a field of a protobuf message from Python costs about a microsecond, and an element of a list has three or four
messages around its value. So elements that all have the same ordinary form are taken from their bytes by a few calls
for thousands of them. Each function here looks whether the bytes have exactly that form, and returns None when one
element does not: then they are parsed as messages, one by one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError as ProtobufDecodeError

from flyte_remote_async.models.wire import header, plain_elements, plain_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NUMBERS", "OF_ONE_LENGTH", "entries", "number_entries", "numbers", "payloads", "texts"]


NUMBERS: Final = frozenset({"integer", "float_value", "boolean"})
"""The fields of a primitive that :func:`numbers` reads."""

OF_ONE_LENGTH: Final = frozenset({"float_value", "boolean"})
"""Those that :func:`number_entries` reads."""


def numbers(field: str, data: bytes) -> list[Any] | None:
    """Return the numbers of a serialised ``LiteralCollection`` that has nothing else.

    Args:
        field: The field of the primitives, one of :data:`NUMBERS`.
        data: The bytes.
    """
    if not plain_elements(field).fullmatch(data):
        return None
    merged = _views()["Primitives"].FromString(data)
    found: list[Any] = getattr(merged.literals.scalar.primitive, field)[:]
    return found


def texts(data: bytes) -> list[str] | None:
    """Return the strings of a serialised ``LiteralCollection`` that has nothing else."""
    if plain_elements("string_value").fullmatch(data):
        try:
            merged = _views()["Primitives"].FromString(data)
        except ProtobufDecodeError:  # it is no UTF-8
            return None
        short: list[str] = merged.literals.scalar.primitive.string_value[:]
        return short
    elements = _elements(data)
    heads = _HEADS["string_value"]
    if not _begins(elements, heads):
        return None
    try:
        found = [str(one[len(head) :], "utf-8") for one in elements if one.startswith(head := heads[len(one)])]
    except UnicodeDecodeError:
        return None
    return found if len(found) == len(elements) else None


def _begins(elements: Sequence[bytes], heads: dict[int, bytes]) -> bool:
    return not elements or elements[0].startswith(heads[len(elements[0])])


_TAIL: Final = header(2, 7) + b"msgpack"


def payloads(data: bytes) -> list[bytes] | None:
    """Return the msgpack payloads of a serialised ``LiteralCollection`` that has nothing else."""
    elements = _elements(data)
    heads, tail = _HEADS["binary"], _TAIL
    if not _begins(elements, heads):
        return None
    cut = -len(tail)
    found = [one[len(head) : cut] for one in elements if one.startswith(head := heads[len(one)]) and one.endswith(tail)]
    return found if len(found) == len(elements) else None


def number_entries(field: str, data: bytes) -> dict[str, Any] | None:
    """Return the numbers of a serialised ``LiteralMap`` that has nothing else.

    Args:
        field: The field of the primitives: one of :data:`OF_ONE_LENGTH`.
        data: The bytes.
    """
    if not plain_entries(field).fullmatch(data):
        return None
    try:
        merged = _views()["Entries"].FromString(data).literals
    except ProtobufDecodeError:  # a key is no UTF-8
        return None
    return dict(zip(merged.key, getattr(merged.value.scalar.primitive, field), strict=True))


def entries(data: bytes) -> tuple[list[str], bytes] | None:
    """Return the keys of a serialised ``LiteralMap``, and its values as a serialised ``LiteralCollection``.

    Keys stand in their order on the wire; of equal ones the last counts.
    """
    found = _elements(data)
    heads = _HEADS["value"]
    try:
        cuts = [one[1] + 2 for one in found]
        values = [one[cut:] for one, cut in zip(found, cuts, strict=True)]
        keys = [str(one[2:cut], "utf-8") for one, cut in zip(found, cuts, strict=True)]
    except (IndexError, UnicodeDecodeError):
        return None
    if not {one[0] for one in found} <= {_KEY} or max(cuts, default=0) > _LONGEST:
        return None
    if not all(map(bytes.startswith, values, map(heads.__getitem__, map(len, values)))):
        return None
    return keys, b"".join([b"\n" + value[1:] for value in values])


_KEY: Final = 0x0A
_LONGEST: Final = 0x80 + 1  # from here on the length of a key takes more than one byte


class _Heads(dict[int, bytes]):
    """What stands before a value in an element, by the length of the element.

    Args:
        numbers: The fields around the value, from the outside.
        tail: Bytes after the value.
    """

    def __init__(self, numbers: Sequence[int], tail: int = 0) -> None:
        super().__init__()
        self._numbers = numbers
        self._tail = tail

    def __missing__(self, length: int) -> bytes:
        found = self[length] = self._head(length)
        return found

    def _head(self, length: int) -> bytes:
        head = b""
        for depth, number in enumerate(self._numbers, 1):
            tail = self._tail if depth == len(self._numbers) else 0
            fitting = (header(number, length - size - tail) for size in range(2, min(7, length - tail + 1)))
            own = next((one for size, one in enumerate(fitting, 2) if len(one) == size), None)
            if own is None:
                return _NO_SUCH
            head += own
            length -= len(own)
        return head


_NO_SUCH: Final = b"\xff" * 12  # no element begins so

_HEADS: Final = {
    "string_value": _Heads((1, 1, 3)),  # Literal.scalar, Scalar.primitive, Primitive.string_value
    "binary": _Heads((1, 3, 1), len(_TAIL)),  # Literal.scalar, Scalar.binary, Binary.value
    "value": _Heads((2,)),  # the value of an entry of a map
}


def _elements(data: bytes) -> Sequence[bytes]:
    elements: Sequence[bytes] = _views()["Elements"].FromString(data).elements[:]
    return elements


@functools.cache
def _views() -> dict[str, Any]:
    """Return messages that read the bytes of others.

    ``Elements`` reads a list of messages as a list of bytes. ``Primitives`` reads one too, but declares each message in
    it to be there once. Protobuf merges what comes again, and merging appends to the repeated fields at the bottom: so
    one call gathers the values of all elements, in their order, and makes no message for any of them.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    file = descriptor_pb2.FileDescriptorProto(name="views.proto", package="views", syntax="proto3")
    shapes: dict[str, list[tuple[str, int, Any, Any]]] = {
        "Elements": [("elements", 1, many, kinds.TYPE_BYTES)],
        "Primitives": [("literals", 1, one, "Literal")],
        "Entries": [("literals", 1, one, "Entry")],
        "Entry": [("key", 1, many, kinds.TYPE_STRING), ("value", 2, one, "Literal")],
        "Literal": [("scalar", 1, one, "Scalar")],
        "Scalar": [("primitive", 1, one, "Primitive")],
        "Primitive": [
            ("integer", 1, many, kinds.TYPE_INT64),
            ("float_value", 2, many, kinds.TYPE_DOUBLE),
            ("string_value", 3, many, kinds.TYPE_STRING),
            ("boolean", 4, many, kinds.TYPE_BOOL),
        ],
    }
    for name, parts in shapes.items():
        message = file.message_type.add(name=name)
        for part, number, label, kind in parts:
            field = message.field.add(name=part, number=number, label=label)
            if isinstance(kind, str):
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".views.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()  # our own: nothing of it shows in the program's
    pool.AddSerializedFile(file.SerializeToString())
    found = (pool.FindMessageTypeByName(f"views.{name}") for name in ("Elements", "Primitives", "Entries"))
    return {one.name: message_factory.GetMessageClass(one) for one in found}
