"""Large messages in pieces: no single call into protobuf holds the interpreter for long.

Parsing costs about 10 ns a byte, and while it lasts no other thread runs, the event loop's neither. So beside the loop,
in a worker thread, a message of many megabytes is parsed (and brought to its canonical bytes) a piece at a time.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message as ProtobufMessage
from google.protobuf.message_factory import GetMessageClass

from flyte_remote_async.models.message import canonical_bytes, parse
from flyte_remote_async.models.turns import take_turns
from flyte_remote_async.models.wire import (
    LENGTH_DELIMITED,
    UncutError,
    elements,
    field_at,
    fields,
    header,
    pair_at,
    plain_elements,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flyte_remote_async.models.wire import Field

__all__ = ["PIECE", "canonical_in_pieces", "copied", "merge_in_pieces"]

M = TypeVar("M", bound=ProtobufMessage)

PIECE: Final = 256 * 1024
"""Bytes of a piece, about: some milliseconds of protobuf's work, as long as Python lets a thread run anyway."""


def merge_in_pieces(message_type: type[M], data: bytes, piece: int = PIECE) -> M:
    """Return the message that bytes hold, parsed in pieces, so that other threads get their turn between them.

    Protobuf defines the concatenation of messages as their merge, so a message may be cut between any two of its
    fields; a field that is larger than a piece is cut in the same way. A larger string stays whole.

    Args:
        message_type: Class of the message.
        data: Its bytes.
        piece: Bytes of a piece, about.

    Raises:
        MalformedMessageError: The bytes are not such a message.
    """
    message = message_type()
    try:
        _merge(message, data, 0, len(data), piece)
    except (ProtobufDecodeError, ValueError):
        # Protobuf has the last word: it reads old forms (groups) that are not cut here, or says what is wrong.
        return parse(message_type, data)
    return message


def _merge(message: Any, data: bytes, start: int, end: int, piece: int) -> None:
    begin = start
    for field in fields(data, start, end):
        if field.end - field.begin > piece:
            known = message.DESCRIPTOR.fields_by_number.get(field.number)
            if known is not None and _is_message(known, field):
                message.MergeFromString(data[begin : field.begin])
                take_turns()
                _merge(_opened(message, known), data, field.start, field.end, piece)
                begin = field.end
                continue
        if field.end - begin > piece:
            take_turns()
            message.MergeFromString(data[begin : field.end])
            begin = field.end
    message.MergeFromString(data[begin:end])


def _opened(message: Any, known: Any) -> Any:
    """Return the message that a value of a field is merged into."""
    value = getattr(message, known.name)
    if _is_repeated(known):
        return value.add()
    value.SetInParent()
    return value


def _is_message(known: Any, field: Field) -> bool:
    return known.message_type is not None and field.wire_type == LENGTH_DELIMITED and not _is_map(known)


def _is_map(known: Any) -> bool:
    return known.message_type is not None and known.message_type.GetOptions().map_entry


def _is_repeated(known: Any) -> bool:
    # Protobuf before 6.31 knows labels only, and later ones warn of them.
    return bool(known.is_repeated if hasattr(known, "is_repeated") else known.label == known.LABEL_REPEATED)


def copied(data: bytes, start: int, end: int) -> bytes:
    """Return what lies between two positions; joining is the one large copy that CPython makes without its lock."""
    if (start, end) == (0, len(data)):
        return data
    return b"".join([data[at : min(at + PIECE, end)] for at in range(start, end, PIECE)])


def canonical_in_pieces(
    message_type: type[ProtobufMessage], data: bytes, start: int = 0, end: int | None = None
) -> bytes:
    """Return the canonical bytes of the message that lies between two positions, made in pieces.

    Args:
        message_type: Class of the message.
        data: Bytes with the message in them.
        start: Where it starts.
        end: Where it ends; None for the end of the bytes.

    Raises:
        MalformedMessageError: The bytes are not such a message.
    """
    end = len(data) if end is None else end
    try:
        return b"".join(_canonical(message_type.DESCRIPTOR, data, start, end))
    except ValueError:
        # A form that no ordinary writer makes; protobuf has the last word.
        return canonical_bytes(parse(message_type, data[start:end]))


def _canonical(descriptor: Any, data: bytes, start: int, end: int) -> list[bytes]:
    message_type = GetMessageClass(descriptor)
    if end - start <= PIECE:
        return [canonical_bytes(parse(message_type, data[start:end]))]
    done: list[bytes] = []
    seen: set[str] = set()
    last = 0
    while start < end:
        field = field_at(data, start, end)
        known = descriptor.fields_by_number.get(field.number)
        if known is None or field.number <= last or (known.containing_oneof and known.containing_oneof.name in seen):
            raise UncutError(_UNUSUAL)
        last = field.number
        if known.containing_oneof:
            seen.add(known.containing_oneof.name)
        start = field.end
        if _is_map(known):
            start, parts = _canonical_map(known, data, field.begin, end)
        elif _is_repeated(known):
            start, parts = _canonical_run(known, data, field.begin, end)
        elif field.end - field.begin <= PIECE or field.wire_type != LENGTH_DELIMITED:
            parts = [canonical_bytes(parse(message_type, data[field.begin : field.end]))]
        else:
            parts = _canonical_value(known, data, field)
        done += parts
    return done


_UNUSUAL: Final = "not in the order in which protobuf writes"


def _canonical_value(known: Any, data: bytes, field: Field) -> list[bytes]:
    """Return a large value with its header: of a message in pieces, of a string or bytes as it is."""
    if known.message_type is not None:
        parts = _canonical(known.message_type, data, field.start, field.end)
    elif known.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        parts = [data[at : min(at + PIECE, field.end)] for at in range(field.start, field.end, PIECE)]
        if known.type == FieldDescriptor.TYPE_STRING:
            _check_text(parts)
    else:
        raise UncutError(_UNUSUAL)
    return [header(field.number, sum(map(len, parts))), *parts]


def _check_text(parts: list[bytes]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for part in parts:
        decoder.decode(part)
    decoder.decode(b"", final=True)


def _canonical_run(known: Any, data: bytes, start: int, end: int) -> tuple[int, list[bytes]]:
    """Return where a run of values of a repeated field ends, and its canonical bytes."""
    holder = GetMessageClass(known.containing_type)
    is_list = known.full_name == "flyteidl.core.LiteralCollection.literals"
    parts: list[bytes] = []
    while start < end:
        take_turns()
        stop = _plain_end(data, start, min(start + PIECE, end)) if is_list else start
        if stop > start:
            parts.append(data[start:stop])
            start = stop
            continue
        first = field_at(data, start, end)
        if first.number != known.number:
            break
        if first.end - first.begin > PIECE:
            parts += _canonical_value(known, data, first)
            start = first.end
        else:
            stop = elements(data, start, end, known.number, PIECE)
            if stop == start:  # numbers, not messages
                raise UncutError(_UNUSUAL)
            parts.append(canonical_bytes(parse(holder, data[start:stop])))
            start = stop
    return start, parts


def _plain_end(data: bytes, start: int, end: int) -> int:
    match = plain_elements().match(data, start, end)
    return match.end() if match else start


def _canonical_map(known: Any, data: bytes, start: int, end: int) -> tuple[int, list[bytes]]:
    """Return where the entries of a map end, and their canonical bytes: in order, the last of equal keys."""
    holder = GetMessageClass(known.containing_type)
    entries: dict[bytes, list[bytes]] = {}
    for field in fields(data, start, end):
        if field.number != known.number:
            break
        key, value = pair_at(data, field.start, field.end)
        if field.end - field.begin <= PIECE:
            parts = [canonical_bytes(parse(holder, data[field.begin : field.end]))]
        else:
            inner = [data[key.begin : key.end], *_canonical_value(known.message_type.fields_by_number[2], data, value)]
            parts = [header(known.number, sum(map(len, inner))), *inner]
        entries[data[key.start : key.end]] = parts
        start = field.end
    return start, [part for name in _in_protobuf_order(known, entries) for part in entries[name]]


def _in_protobuf_order(known: Any, names: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the keys of a map in the order in which protobuf's deterministic form has them, which is its own affair."""
    bare = (header(1, len(name)) + name for name in names)
    entries = b"".join(header(known.number, len(key)) + key for key in bare)
    data = canonical_bytes(parse(GetMessageClass(known.containing_type), entries))
    for field in fields(data, 0, len(data)):
        key = field_at(data, field.start, field.end)
        yield data[key.start : key.end]
