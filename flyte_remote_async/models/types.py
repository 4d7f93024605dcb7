"""The type of a literal, as an interface declares it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from flyteidl.core import types_pb2
from google.protobuf.unknown_fields import UnknownFieldSet

from flyte_remote_async.models.parsed import ParsedValue
from flyte_remote_async.models.structs import struct_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LiteralType"]

# The oneof of core.LiteralType -> our word for it; "simple" has a word for each of its values.
_KINDS: Final[Mapping[str, str]] = {
    "schema": "schema",
    "collection_type": "collection",
    "map_value_type": "map",
    "blob": "blob",
    "enum_type": "enum",
    "structured_dataset_type": "structured_dataset",
    "union_type": "union",
}
_SIMPLE_WORDS: Final[Mapping[str, str]] = {
    "none": "None",
    "integer": "int",
    "float": "float",
    "string": "str",
    "boolean": "bool",
    "datetime": "datetime",
    "duration": "timedelta",
    "binary": "Binary",
    "error": "FlyteError",
}


class LiteralType(ParsedValue[types_pb2.LiteralType]):
    """The type of a literal (``core.LiteralType``); ``str()`` of it reads like a Python annotation.

    Example:
        >>> str(LiteralType.from_flyte_idl(message))
        'list[int] | None'
    """

    __slots__ = ()
    message_type: ClassVar[type[types_pb2.LiteralType]] = types_pb2.LiteralType

    @property
    def kind(self) -> str:
        """What kind of type it is.

        One of ``none``, ``integer``, ``float``, ``string``, ``boolean``, ``datetime``, ``duration``, ``binary``,
        ``error``, ``struct`` (dataclasses and dicts), ``collection``, ``map``, ``blob``, ``schema``, ``enum``,
        ``structured_dataset``, ``union``; ``empty`` when the message says nothing, and ``unknown`` for a kind that is
        newer than this package.
        """
        which = self._message.WhichOneof("type")
        if which == "simple":
            value = types_pb2.SimpleType.DESCRIPTOR.values_by_number.get(self._message.simple)
            return value.name.lower() if value else "unknown"
        if which is None:
            return "unknown" if len(UnknownFieldSet(self._message)) else "empty"
        return _KINDS[which]

    @property
    def element(self) -> LiteralType | None:
        """The type of the elements of a collection or of the values of a map; None for other kinds."""
        which = self._message.WhichOneof("type")
        if which not in {"collection_type", "map_value_type"}:
            return None
        return LiteralType.from_flyte_idl(getattr(self._message, which))

    @property
    def variants(self) -> tuple[LiteralType, ...]:
        """The variants of a union, in their order; empty for other kinds."""
        return tuple(map(LiteralType.from_flyte_idl, self._message.union_type.variants))

    @property
    def enum_values(self) -> tuple[str, ...]:
        """The values of an enum, in the order of their definition; empty for other kinds."""
        return tuple(self._message.enum_type.values)

    @property
    def tag(self) -> str:
        """The name that tells the variants of a union apart, such as ``"int"``; empty when there is none."""
        return self._message.structure.tag

    @property
    def fields(self) -> Mapping[str, LiteralType]:
        """The types of a dataclass's fields by name, where the type carries them."""
        fields = self._message.structure.dataclass_type
        return MappingProxyType({name: LiteralType.from_flyte_idl(fields[name]) for name in sorted(fields)})

    @property
    def blob_format(self) -> str:
        """The format of a blob, such as ``"csv"``; empty for any format and for other kinds."""
        return self._message.blob.format

    @property
    def is_multipart(self) -> bool:
        """Whether it is a blob of many parts: a directory."""
        return self._message.blob.dimensionality == types_pb2.BlobType.MULTIPART

    @property
    def metadata(self) -> dict[str, Any]:
        """What the SDK that made the type noted on it: the JSON schema of a dataclass, for one."""
        return struct_to_dict(self._message.metadata)

    @property
    def annotation(self) -> dict[str, Any]:
        """The annotations of the type."""
        return struct_to_dict(self._message.annotation.annotations)

    @property
    def accepts_none(self) -> bool:
        """Whether None is a value of the type."""
        return self.kind == "none" or any(variant.accepts_none for variant in self.variants)

    @classmethod
    def list_of(cls, element: LiteralType) -> Self:
        """Return the type of a list of ``element``."""
        return cls.from_flyte_idl(types_pb2.LiteralType(collection_type=element.to_flyte_idl()))

    def __str__(self) -> str:
        kind = self.kind
        word = _SIMPLE_WORDS.get(kind)
        if word is not None:
            return word
        render = _RENDERERS.get(kind)
        return render(self) if render else kind


def _struct(literal_type: LiteralType) -> str:
    schema = literal_type.metadata
    title = schema.get("title")
    # Older SDKs wrap the schema: {"$ref": "#/definitions/PointSchema", "definitions": {...}}.
    reference = schema.get("$ref")
    if not title and isinstance(reference, str):
        title = reference.rpartition("/")[2].removesuffix("Schema")
    if not title and isinstance(schema.get("pb_type"), str):
        title = schema["pb_type"].rpartition(".")[2]
    return str(title) if title else "dict"


def _blob(literal_type: LiteralType) -> str:
    class_name = literal_type.metadata.get("python_class_name")
    if literal_type.blob_format == "PythonPickle" and class_name:
        return str(class_name)
    word = "FlyteDirectory" if literal_type.is_multipart else "FlyteFile"
    return f"{word}[{literal_type.blob_format}]" if literal_type.blob_format else word


def _dataset(literal_type: LiteralType) -> str:
    columns = literal_type.to_flyte_idl().structured_dataset_type.columns
    inside = ", ".join(f"{c.name}: {LiteralType.from_flyte_idl(c.literal_type)}" for c in columns)
    return f"StructuredDataset[{inside}]" if inside else "StructuredDataset"


_RENDERERS: Final[Mapping[str, Callable[[LiteralType], str]]] = {
    "collection": lambda t: f"list[{t.element}]",
    "map": lambda t: f"dict[str, {t.element}]",
    "union": lambda t: " | ".join(map(str, t.variants)) or "Union[()]",
    "enum": lambda t: f"Literal[{', '.join(map(repr, t.enum_values))}]",
    "struct": _struct,
    "blob": _blob,
    "schema": lambda _: "FlyteSchema",
    "structured_dataset": _dataset,
}
