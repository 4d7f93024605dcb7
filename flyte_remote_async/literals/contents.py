"""What a file holds, where a type or a hint wants it read at once: arrays, streams and pickles."""

from __future__ import annotations

import datetime as dt
import enum
import io
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO, get_origin

from flyteidl.core import types_pb2

from flyte_remote_async.errors import DecodeError, UntrustedPickleError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.literals.blobs import BlobCodec, blob_literal, path_of, stored_as
from flyte_remote_async.literals.gathering import PENDING
from flyte_remote_async.literals.handles import FlyteDirectory, FlyteFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import literals_pb2

    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["PICKLE", "Content", "any_blob", "from_hint", "from_type", "load_pickled_dict", "pickled"]

PICKLE: Final = "PythonPickle"


class Content(BlobCodec):
    """What a file holds, read at once."""

    __slots__ = ("load", "tag")

    def __init__(self, expected: str, context: Context, format: str, tag: str, load: Callable[..., Any]) -> None:  # noqa: A002
        super().__init__(expected, context, format)
        self.tag = tag
        self.load = load

    def read(self, literal: literals_pb2.Literal) -> Any:
        """Return the content of the file of a blob literal."""
        uri, context = literal.scalar.blob.uri, self.context

        async def fetch(objects: Objects) -> Any:
            return await context.run(self.load, await objects.read(uri, limit=context.max_object_bytes), uri, context)

        reason = f"its file {uri} has to be read: await it through a resolver"
        return context.bring((self.expected, uri), fetch, reason)

    def owns(self, value: Any) -> bool:
        """Tell whether a value is of the type, by its name."""
        return type(value).__name__ == self.expected


class _Array(Content):
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


class _Pickle(Content):
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
    if declared.blob.dimensionality == types_pb2.BlobType.MULTIPART:
        return path_of(context, FlyteDirectory.of_format(known), declared.blob)
    if known == PICKLE:
        name = wire.plain_struct(declared.metadata).get("python_class_name")
        return _Pickle(context, None, str(name or PICKLE))
    return path_of(context, FlyteFile.of_format(known), declared.blob)


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a file, a directory or what one holds, else None."""
    context, origin = codecs.context, get_origin(hint) or hint
    known = declared.blob if declared is not None else types_pb2.BlobType()
    if origin is os.PathLike:
        return path_of(context, FlyteFile, known)
    if isinstance(origin, type) and issubclass(origin, (FlyteFile, FlyteDirectory)):
        return path_of(context, origin, known)
    if origin in _STREAMS:
        return Content(origin.__name__, context, *_STREAMS[origin])
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
