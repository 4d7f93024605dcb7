"""Files and tables as fields of pydantic models: in JSON they are the small dicts that flytekit writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from flyteidl.core import types_pb2

from flyte_remote_async.literals.blobs import path_of
from flyte_remote_async.literals.context import PLAIN
from flyte_remote_async.literals.tables import from_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.literals.base import Codec
    from flyte_remote_async.literals.context import Context

__all__ = ["CONTEXT", "blob_field", "dataset_field"]

CONTEXT = "flyte_remote_async"
"""The key under which a codec passes its context through pydantic."""


def blob_field(python: Any) -> Any:
    """Return the schema of a file or directory: an instance, a path of this machine, or a dict out of JSON."""
    return _field(python, lambda context: path_of(context, python, types_pb2.BlobType()), _from_path)


def dataset_field(python: Any) -> Any:
    """Return the schema of a table: an instance, or a dict out of JSON."""
    return _field(python, lambda context: from_type(context, types_pb2.LiteralType()), lambda _, value: value)


def _from_path(python: Any, value: Any) -> Any:
    return python(value) if isinstance(value, (str, os.PathLike)) else value


def _field(python: Any, codec_of: Callable[[Context], Codec], prepare: Callable[[Any, Any], Any]) -> Any:
    from pydantic_core import core_schema

    kind = python.of_format("") if hasattr(python, "of_format") else python

    def read(value: Any, info: Any) -> Any:
        if info.mode == "python" and not isinstance(value, kind):
            value = prepare(python, value)
        return value if isinstance(value, kind) else codec_of(_context(info)).build(value)

    def write(value: Any, info: Any) -> Any:
        return codec_of(_context(info)).dump(value)

    writing = core_schema.plain_serializer_function_ser_schema(write, info_arg=True, when_used="json")
    return core_schema.with_info_plain_validator_function(read, serialization=writing)


def _context(info: Any) -> Context:
    found: Context = (info.context or {}).get(CONTEXT, PLAIN)
    return found
