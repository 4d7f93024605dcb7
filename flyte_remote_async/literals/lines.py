"""Iterators: over the elements of a collection, and over the lines of a JSONL file."""

from __future__ import annotations

import collections.abc
import io
from typing import TYPE_CHECKING, Any, get_args, get_origin

from flyteidl.core import literals_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals.blobs import blob_literal, stored_as
from flyte_remote_async.literals.contents import Content
from flyte_remote_async.literals.gathering import PENDING

if TYPE_CHECKING:
    from flyteidl.core import types_pb2

    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["JsonLines", "from_hint"]


class JsonLines:
    """The values of a JSONL file, one line at a time; a line that is no JSON raises a DecodeError in its place."""

    __slots__ = ("_lines", "_number", "_uri")

    def __init__(self, data: bytes, uri: str) -> None:
        self._lines = io.BytesIO(data)
        self._number = 0
        self._uri = uri

    def __iter__(self) -> JsonLines:
        return self

    def __next__(self) -> Any:
        for line in self._lines:
            self._number += 1
            if line.strip():
                return self._parse(line)
        raise StopIteration

    def _parse(self, line: bytes) -> Any:
        import json

        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"line {self._number} of {self._uri} is no JSON: {type(error).__name__}: {error}"
            raise DecodeError(reason, kind="blob", expected="JSON lines") from error


class _Iterator(Content):
    """An iterator: over the elements of a collection, or over the lines of a JSONL file."""

    __slots__ = ("element", "lines")

    def __init__(self, context: Context, element: Codec, *, lines: bool) -> None:
        tag = "JSON Iterator" if lines else "Typed Iterator"
        super().__init__(f"Iterator[{element.expected}]", context, "jsonl", tag, _load_lines)
        self.element = element
        self.lines = lines

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if literal.WhichOneof("value") == "collection":
            return map(self.element.decode, literal.collection.literals)
        return super().decode(literal)

    def read(self, literal: literals_pb2.Literal) -> Any:
        data = super().read(literal)
        return data if data is PENDING else JsonLines(data, literal.scalar.blob.uri)

    def build(self, value: Any) -> Any:
        if type(value) is not list:
            raise self.mismatch(value)
        return map(self.element.build, value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        if isinstance(value, (str, bytes, dict)) or not isinstance(value, collections.abc.Iterable):
            raise self.refusal(value)
        if isinstance(value, collections.abc.Iterator):
            raise self.refusal(value, "an iterator is used up by being looked at; pass a list")
        if self.lines:
            text = "".join(f"{_line(self, one)}\n" for one in value)
            uri = stored_as(self.context, text.encode(), "lines.jsonl")
            return blob_literal("" if uri is PENDING else uri, self.format)
        elements = literals_pb2.LiteralCollection(literals=[self.element.encode(one) for one in value])
        return literals_pb2.Literal(collection=elements)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        if stored.WhichOneof("type") == "collection_type":
            return self.element.fits(stored.collection_type)
        return super().fits(stored) and stored.blob.format == "jsonl"


def _line(codec: Codec, value: Any) -> str:
    import json

    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise codec.refusal(value, f"it is no JSON: {type(error).__name__}: {error}") from error


def _load_lines(data: bytes, uri: str, context: Context) -> bytes:
    del uri, context
    return data


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is an iterator, else None."""
    if get_origin(hint) not in {collections.abc.Iterator, collections.abc.Iterable}:
        return None
    if declared is not None and declared.WhichOneof("type") == "blob":
        return _Iterator(codecs.context, codecs.of(None), lines=True)
    inner = declared.collection_type if declared is not None and declared.HasField("collection_type") else None
    return _Iterator(codecs.context, codecs.of(inner, *get_args(hint)[:1]), lines=False)
