"""Declared types as a reader of Python writes them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import types_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core.types_pb2 import LiteralType

__all__ = ["type_text"]

_SIMPLE: Final = {
    types_pb2.NONE: "None",
    types_pb2.INTEGER: "int",
    types_pb2.FLOAT: "float",
    types_pb2.STRING: "str",
    types_pb2.BOOLEAN: "bool",
    types_pb2.DATETIME: "datetime",
    types_pb2.DURATION: "timedelta",
    types_pb2.BINARY: "bytes",
    types_pb2.ERROR: "error",
    types_pb2.STRUCT: "struct",
}


def type_text(declared: LiteralType) -> str:
    """Return the text of a type, such as ``"list[int]"``."""
    kind = declared.WhichOneof("type")
    if kind == "simple":
        return declared.structure.tag or _titled(declared) or _SIMPLE.get(declared.simple, "unknown")
    return _KINDS[kind](getattr(declared, kind)) if kind in _KINDS else "unknown"


def _titled(declared: LiteralType) -> str:
    """Return the name of a dataclass, which flytekit notes in its JSON schema."""
    title = declared.metadata.fields["title"].string_value if "title" in declared.metadata.fields else ""
    return title if declared.simple == types_pb2.STRUCT else ""


def _blob_text(blob: types_pb2.BlobType) -> str:
    what = "directory" if blob.dimensionality == types_pb2.BlobType.MULTIPART else "file"
    return f"{what} ({blob.format})" if blob.format else what


def _dataset_text(dataset: types_pb2.StructuredDatasetType) -> str:
    return f"structured dataset ({dataset.format})" if dataset.format else "structured dataset"


_KINDS: Final[dict[str | None, Callable[[Any], str]]] = {
    "collection_type": lambda item: f"list[{type_text(item)}]",
    "map_value_type": lambda value: f"dict[str, {type_text(value)}]",
    "union_type": lambda union: " | ".join(type_text(variant) for variant in union.variants),
    "enum_type": lambda enum: f"enum({', '.join(enum.values)})",
    "blob": _blob_text,
    "schema": lambda _: "schema",
    "structured_dataset_type": _dataset_text,
}
