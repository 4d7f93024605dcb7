"""Files and directories: blobs as lazy handles, and local ones stored on the way out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import DecodeError, EncodeError
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.literals.gathering import PENDING
from flyte_remote_async.literals.handles import FlyteDirectory, FlyteFile
from flyte_remote_async.literals.paths import is_remote

if TYPE_CHECKING:
    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.literals.context import Context

__all__ = ["BlobCodec", "blob_literal", "path_of", "stored_as"]

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
        if await to_thread.run_sync(source.is_dir):
            return await objects.upload_directory(source)
        return await objects.upload(source, name=source.name)

    key = ("bytes", name, source) if isinstance(source, bytes) else ("stored", str(source))
    return context.bring(key, fetch, reason, EncodeError)


class BlobCodec(Codec):
    """What all blobs have in common: the check of the literal, and the type."""

    __slots__ = ("context", "format")
    dimensionality: Any = _SINGLE

    def __init__(self, expected: str, context: Context, format: str = "") -> None:  # noqa: A002 - Flyte's own word
        super().__init__(expected)
        self.context = context
        self.format = format

    def decode(self, literal: literals_pb2.Literal) -> Any:
        """Return the value of a blob of the right dimensionality, or of the other forms of a literal."""
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
        """Tell whether the stored type is a blob of the same dimensionality; flytekit does not compare formats."""
        return bool(stored.HasField("blob") and stored.blob.dimensionality == self.dimensionality)

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        """Tell whether the literal is a blob."""
        return literal.scalar.HasField("blob")


class _Path(BlobCodec):
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
        metadata = {} if value.get("metadata") is None else value["metadata"]
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

    def resembles(self, declared: types_pb2.LiteralType) -> bool:
        return bool(declared.blob.format == self.format)

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


def path_of(context: Context, python: type[Any], declared: types_pb2.BlobType) -> Codec:
    """Return the codec of a file or a directory as a handle.

    Args:
        context: What the conversion may use.
        python: The class of the handle, which may have a format of its own, such as ``FlyteFile["csv"]``.
        declared: The type that the interface declares.
    """
    codec = _Directory if issubclass(python, FlyteDirectory) else _File
    return codec(context, python.extension(), declared.format)
