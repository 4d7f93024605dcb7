"""Blobs: files and directories as lazy handles, and what a hint wants read out of a file at once."""

from __future__ import annotations

import collections.abc
import datetime as dt
import enum
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO, get_args, get_origin

from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import DecodeError, EncodeError, UntrustedPickleError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.literals.gathering import PENDING
from flyte_remote_async.literals.handles import FlyteDirectory, FlyteFile, is_remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.registry import Codecs

__all__ = [
    "PICKLE",
    "JsonLines",
    "any_blob",
    "blob_literal",
    "from_hint",
    "from_type",
    "load_pickled_dict",
    "pickled",
    "stored_as",
]

PICKLE: Final = "PythonPickle"
_SINGLE: Final = types_pb2.BlobType.SINGLE
_MULTIPART: Final = types_pb2.BlobType.MULTIPART


def blob_literal(uri: str, format: str, dimensionality: Any = _SINGLE) -> literals_pb2.Literal:  # noqa: A002 - its name
    """Return the literal of a blob."""
    kind = types_pb2.BlobType(format=format, dimensionality=dimensionality)
    blob = literals_pb2.Blob(uri=uri, metadata=literals_pb2.BlobMetadata(type=kind))
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=blob))


def stored_as(context: Context, source: Path | bytes, name: str) -> Any:
    """Return the uri under which a local file, folder or bytes are stored, or PENDING.

    Raises:
        LiteralError: The conversion does no I/O.
    """
    reason = f"{name} is on this machine and has to be stored first: pass it to a launch, or encode it with write()"

    async def fetch(objects: Objects) -> str:
        if isinstance(source, bytes):
            return await objects.upload(source, name=name)
        if await context.run(source.is_dir):
            return await objects.upload_directory(source)
        return await objects.upload(source, name=source.name)

    key = ("bytes", name, source) if isinstance(source, bytes) else ("stored", str(source))
    return context.bring(key, fetch, reason, EncodeError)


class _BlobCodec(Codec):
    """What all blobs have in common: the check of the literal, and the type."""

    __slots__ = ("context", "format")
    dimensionality: Any = _SINGLE

    def __init__(self, expected: str, context: Context, format: str = "") -> None:  # noqa: A002 - Flyte's own word
        super().__init__(expected)
        self.context = context
        self.format = format

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if not literal.scalar.HasField("blob"):
            return super().decode(literal)
        blob = literal.scalar.blob
        if blob.metadata.type.dimensionality != self.dimensionality:
            words = ("a directory", "a file") if self.dimensionality == _SINGLE else ("a file", "a directory")
            raise DecodeError(f"it is {words[0]} and not {words[1]}", kind="blob", expected=self.expected)
        if not blob.uri:
            raise DecodeError("it has no uri", kind="blob", expected=self.expected)
        return self.read(literal)

    def read(self, literal: literals_pb2.Literal) -> Any:
        """Return the value of a blob literal that has a uri."""
        raise self.misfit(literal)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return bool(stored.HasField("blob") and stored.blob.dimensionality == self.dimensionality)

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return literal.scalar.HasField("blob")


class _Path(_BlobCodec):
    """A file or a directory as a handle."""

    __slots__ = ("declared",)

    def __init__(self, context: Context, format: str, declared: str) -> None:  # noqa: A002 - Flyte's own word
        known = format or declared
        super().__init__(f"{self.python.__name__}{f'[{known}]' if known else ''}", context, format)
        self.declared = declared

    @property
    def python(self) -> type[FlyteFile | FlyteDirectory]:
        return FlyteFile if self.dimensionality == _SINGLE else FlyteDirectory

    def read(self, literal: literals_pb2.Literal) -> Any:
        return self._handle(literal.scalar.blob.uri, dict(literal.metadata))

    def build(self, value: Any) -> Any:
        path = value.get("path") if isinstance(value, dict) else None
        if not isinstance(path, str) or not path:
            raise self.mismatch(value)
        metadata = value.get("metadata") or {}
        if not isinstance(metadata, dict) or not all(
            isinstance(part, str) for pair in metadata.items() for part in pair
        ):
            raise self.mismatch(value)
        return self._handle(path, metadata)

    def encode(self, value: Any) -> literals_pb2.Literal:
        literal = blob_literal(self._uri(value), self._format(value), self.dimensionality)
        if isinstance(value, (FlyteFile, FlyteDirectory)):
            literal.metadata.update(value.metadata)
        return literal

    def dump(self, value: Any) -> Any:
        plain: dict[str, Any] = {"path": self._uri(value)}
        metadata = value.metadata if isinstance(value, (FlyteFile, FlyteDirectory)) else None
        return {**plain, "metadata": dict(metadata)} if metadata else plain

    def owns(self, value: Any) -> bool:
        return isinstance(value, (self.python, os.PathLike))

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict) and "path" in value

    def _handle(self, uri: str, metadata: dict[str, str]) -> Any:
        return self.python.decoded(uri, self.format, metadata, self.context.objects)

    def _format(self, value: Any) -> str:
        if self.format or self.declared:
            return self.format or self.declared
        return value.format if isinstance(value, (FlyteFile, FlyteDirectory)) else ""

    def _uri(self, value: Any) -> str:
        if isinstance(value, (FlyteFile, FlyteDirectory)):
            if not isinstance(value, self.python):
                raise self.refusal(value)
            if value.remote_source is not None:
                return value.remote_source
            value = value.path
        if isinstance(value, str) and is_remote(value):
            return value
        if not isinstance(value, (str, os.PathLike)):
            raise self.refusal(value)
        uri = stored_as(self.context, Path(value), str(value))
        return "" if uri is PENDING else str(uri)


class _File(_Path):
    __slots__ = ()
    tag = "FlyteFilePath"


class _Directory(_Path):
    __slots__ = ()
    tag = "FlyteDirectory"
    dimensionality = _MULTIPART


class _Content(_BlobCodec):
    """What a file holds, read at once."""

    __slots__ = ("load", "tag")

    def __init__(self, expected: str, context: Context, format: str, tag: str, load: Callable[..., Any]) -> None:  # noqa: A002
        super().__init__(expected, context, format)
        self.tag = tag
        self.load = load

    def read(self, literal: literals_pb2.Literal) -> Any:
        uri, context = literal.scalar.blob.uri, self.context

        async def fetch(objects: Objects) -> Any:
            return await context.run(self.load, await objects.read(uri, limit=context.max_object_bytes), uri, context)

        reason = f"its file {uri} has to be read: await it through a resolver"
        return context.bring((self.expected, uri), fetch, reason)

    def owns(self, value: Any) -> bool:
        return type(value).__name__ == self.expected


class _Array(_Content):
    """A numpy array."""

    __slots__ = ()

    def encode(self, value: Any) -> literals_pb2.Literal:
        import numpy as np

        if not isinstance(value, np.ndarray):
            raise self.refusal(value)
        if value.dtype.hasobject:
            raise self.refusal(value, "arrays of objects can only be pickled")
        target = io.BytesIO()
        np.save(target, value, allow_pickle=False)
        uri = stored_as(self.context, target.getvalue(), "array.npy")
        return blob_literal("" if uri is PENDING else uri, self.format)


def _load_array(data: bytes, uri: str, context: Context) -> Any:
    import numpy as np

    try:
        return np.load(io.BytesIO(data), allow_pickle=context.allow_pickle)
    except Exception as error:
        reason = f"the array at {uri} cannot be read: {type(error).__name__}: {error}"
        raise DecodeError(reason, kind="blob", expected="ndarray") from error


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


class _Iterator(_Content):
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


class _Pickle(_Content):
    """A pickle: refused, or loaded where the user allowed it."""

    __slots__ = ("python",)

    def __init__(self, context: Context, python: Any, expected: str) -> None:
        super().__init__(expected, context, PICKLE, "FlytePickle", _load_pickle)
        self.python = python if isinstance(python, type) else object

    def read(self, literal: literals_pb2.Literal) -> Any:
        uri = literal.scalar.blob.uri
        if literal.scalar.blob.metadata.type.format not in {PICKLE, ""}:
            raise self.misfit(literal)
        if not self.context.allow_pickle:
            raise UntrustedPickleError(uri, kind="blob", expected=self.expected)
        value = super().read(literal)
        if value is not PENDING and not isinstance(value, self.python):
            reason = f"the pickle at {uri} holds a {type(value).__name__}"
            raise DecodeError(reason, kind="blob", expected=self.expected)
        return value

    def encode(self, value: Any) -> literals_pb2.Literal:
        if isinstance(value, FlyteFile) and value.remote_source is not None:
            return blob_literal(value.remote_source, PICKLE)
        if not isinstance(value, self.python):
            raise self.refusal(value)
        uri = stored_as(self.context, _pickled(self, value), "value.pkl")
        return blob_literal("" if uri is PENDING else uri, PICKLE)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return super().fits(stored) and stored.blob.format == PICKLE


def _pickled(codec: Codec, value: Any) -> bytes:
    import pickle

    try:
        return pickle.dumps(value)
    except Exception as error:
        raise codec.refusal(value, f"it does not pickle: {type(error).__name__}: {error}") from error


def _load_pickle(data: bytes, uri: str, context: Context) -> Any:
    import pickle

    if not context.allow_pickle:  # nobody comes here without; this is the last door
        raise UntrustedPickleError(uri, kind="blob")
    try:
        return pickle.loads(data)  # noqa: S301 - the user allowed it
    except Exception as error:
        reason = f"the pickle at {uri} cannot be loaded: {type(error).__name__}: {error}"
        raise DecodeError(reason, kind="blob") from error


def load_pickled_dict(context: Context, literal: literals_pb2.Literal) -> Any:
    """Return the dict of a Struct that only points at a pickle, or PENDING, where the user allowed pickles.

    Raises:
        UntrustedPickleError: Pickles are not allowed.
    """
    uri = str(wire.plain_struct(literal.scalar.generic).get("pickle_file", ""))
    codec = _Pickle(context, dict, "dict")
    return codec.decode(blob_literal(uri, PICKLE))


def _text(data: bytes, uri: str, context: Context) -> TextIO:
    del context
    try:
        return io.StringIO(data.decode())
    except UnicodeDecodeError as error:
        raise DecodeError(f"the file at {uri} is no UTF-8: {error}", kind="blob", expected="TextIO") from error


def _binary(data: bytes, uri: str, context: Context) -> BinaryIO:
    del uri, context
    return io.BytesIO(data)


class _AnyBlob(Codec):
    """A blob of which no type is declared: what the literal says."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        super().__init__("Any")
        self.context = context

    def decode(self, literal: literals_pb2.Literal) -> Any:
        declared = types_pb2.LiteralType(blob=literal.scalar.blob.metadata.type)
        return from_type(self.context, declared).decode(literal)


def any_blob(context: Context) -> Codec:
    """Return the codec of blobs without a declared type."""
    return _AnyBlob(context)


def from_type(context: Context, declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of a blob type: a handle, or what a pickle holds."""
    known = declared.blob.format
    if declared.blob.dimensionality == _MULTIPART:
        return _Directory(context, known, known)
    if known == PICKLE:
        name = wire.plain_struct(declared.metadata).get("python_class_name")
        return _Pickle(context, None, str(name or PICKLE))
    return _File(context, known, known)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a file, a directory or what one holds, else None."""
    context, origin = codecs.context, get_origin(hint) or hint
    known = declared.blob.format if declared is not None else ""
    if origin is os.PathLike:
        return _File(context, "", known)
    if isinstance(origin, type) and issubclass(origin, (FlyteFile, FlyteDirectory)):
        codec = _Directory if issubclass(origin, FlyteDirectory) else _File
        return codec(context, origin.extension(), known)
    if origin in _STREAMS:
        return _Content(origin.__name__, context, *_STREAMS[origin])
    if origin in {collections.abc.Iterator, collections.abc.Iterable}:
        return _iterator(codecs, hint, declared)
    numpy = sys.modules.get("numpy")
    if numpy is not None and origin is numpy.ndarray:
        return _Array("ndarray", context, "NumpyArray", "Numpy Array", _load_array)
    return None


_STREAMS: Final[dict[Any, Any]] = {
    TextIO: ("text/plain", "TextIO", _text),
    BinaryIO: ("application/octet-stream", "BinaryIO", _binary),
}


def pickled(codecs: Codecs, hint: Any) -> Codec | None:
    """Return the codec of a hint under a type that says that the value is a pickle; None for what is never one."""
    if not isinstance(hint, type) or issubclass(hint, _NEVER_PICKLED):
        return None
    return _Pickle(codecs.context, hint, hint.__name__)


_NEVER_PICKLED: Final = (int, float, str, dt.date, dt.timedelta, type(None), enum.Enum, FlyteFile, FlyteDirectory)


def _iterator(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec:
    if declared is not None and declared.WhichOneof("type") == "blob":
        return _Iterator(codecs.context, codecs.of(None), lines=True)
    inner = declared.collection_type if declared is not None and declared.HasField("collection_type") else None
    return _Iterator(codecs.context, codecs.of(inner, *get_args(hint)[:1]), lines=False)
