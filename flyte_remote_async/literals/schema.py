"""The fields of a record that no class describes: from the type's own table of fields, else from its JSON schema.

Flytekit writes the table since 1.11 and a schema before and after; the schema comes in the dialects of three libraries
(marshmallow to 1.9, mashumaro since, pydantic). No class is made of it: names come from whoever wrote the type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.core import types_pb2

from flyte_remote_async.literals import enums
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.literals.collections import list_of
from flyte_remote_async.literals.loose import ANY
from flyte_remote_async.literals.maps import PLAIN_DICT, any_keys, plain_dict
from flyte_remote_async.literals.primitives import BOOL, FLOAT, INT, NONE, STR
from flyte_remote_async.literals.records import open_record, record_of
from flyte_remote_async.literals.unions import of_codecs
from flyte_remote_async.models.structs import struct_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_type"]

_SIMPLE: Mapping[int, Codec] = {
    types_pb2.INTEGER: INT,
    types_pb2.FLOAT: FLOAT,
    types_pb2.STRING: STR,
    types_pb2.BOOLEAN: BOOL,
    types_pb2.NONE: NONE,
}
_WORDS: Mapping[str, Codec] = {
    "integer": INT,
    "number": FLOAT,
    "string": STR,
    "boolean": BOOL,
    "null": NONE,
}


def from_type(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of a STRUCT type: a record where its fields are known, else a dict of anything."""
    fields = declared.structure.dataclass_type
    if fields and "definitions" not in declared.metadata.fields:
        name = declared.metadata.fields["title"].string_value if "title" in declared.metadata.fields else "record"
        known = declared.metadata.fields["required"].list_value.values if "required" in declared.metadata.fields else ()
        required = [one.string_value for one in known]
        return record_of(name, {name: _field(codecs, fields[name]) for name in fields}, required)
    schema = struct_to_dict(declared.metadata)
    if schema.get("properties") or "$ref" in schema:
        return _Schema(codecs, schema).codec({"type": "object", **schema})
    return open_record(str(schema["title"])) if schema.get("title") else plain_dict(codecs)


def _field(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of a field: as of its type, but times and enums stay what the payload has, as in flytekit."""
    kind = _FIELDS.get(declared.WhichOneof("type") or "")
    return kind(codecs, declared) if kind else ANY


def _simple_field(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    return from_type(codecs, declared) if declared.simple == types_pb2.STRUCT else _SIMPLE.get(declared.simple, ANY)


def _union_field(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    return of_codecs(codecs, [_field(codecs, one) for one in declared.union_type.variants])


_FIELDS: Mapping[str, Callable[[Codecs, types_pb2.LiteralType], Codec]] = {
    "simple": _simple_field,
    "collection_type": lambda codecs, declared: list_of(_field(codecs, declared.collection_type)),
    "map_value_type": lambda codecs, declared: any_keys(_field(codecs, declared.map_value_type)),
    "enum_type": lambda _, declared: enums.field_of_type(declared),
    "union_type": _union_field,
    "blob": lambda codecs, declared: _Stored(codecs.of(declared)),
    "structured_dataset_type": lambda codecs, declared: _Stored(codecs.of(declared)),
    "schema": lambda codecs, declared: _Stored(codecs.of(declared)),
}


class _Stored(Codec):
    """A file or table as a field: a dict that says where it is, and a handle where one is passed."""

    __slots__ = ("codec",)

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec.expected)
        self.codec = codec

    def build(self, value: Any) -> Any:
        return value

    def dump(self, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return self.codec.dump(value) if self.codec.owns(value) else ANY.dump(value)

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)


class _Schema:
    """Codecs of the parts of one JSON schema."""

    def __init__(self, codecs: Codecs, root: Mapping[str, Any]) -> None:
        self.codecs = codecs
        self.is_old = "definitions" in root
        self.known = {**_dict(root.get("definitions")), **_dict(root.get("$defs"))}

    def codec(self, node: Any) -> Codec:
        """Return the codec of a part; anything goes where the schema does not say."""
        node = _dict(node)
        word = node.get("type")
        if "$ref" in node:
            return _Reference(self, str(node["$ref"]).rpartition("/")[2])
        if "anyOf" in node or isinstance(word, list):
            parts = node["anyOf"] if "anyOf" in node else [{**node, "type": one} for one in word]
            return of_codecs(self.codecs, [self.codec(one) for one in parts])
        if word == "array":
            return list_of(self._element(node["items"])) if "items" in node else ANY
        return self._object(node) if word == "object" else _scalar(node)

    def _object(self, node: Mapping[str, Any]) -> Codec:
        if node.get("properties"):
            fields = {name: self.codec(one) for name, one in node["properties"].items()}
            required = node.get("required")
            known = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            return record_of(str(node.get("title") or "record"), fields, known)
        values = node.get("additionalProperties")
        return any_keys(self._element(values)) if isinstance(values, dict) else ANY

    def _element(self, node: Any) -> Codec:
        # Schemas of old marshmallow tell lists of classes from lists of dicts by name alone; flytekit takes dicts.
        return PLAIN_DICT if self.is_old and "$ref" in _dict(node) else self.codec(node)


def _scalar(node: Mapping[str, Any]) -> Codec:
    if node.get("type") == "number" and node.get("format") == "integer":
        return INT
    # Bytes are bytes in msgpack and a string in JSON.
    return ANY if node.get("format") == "base64" else _WORDS.get(str(node.get("type")), ANY)


class _Reference(Codec):
    """A part that is defined elsewhere in the schema, looked up when a value comes: it may contain itself."""

    __slots__ = ("_found", "name", "schema")

    def __init__(self, schema: _Schema, name: str) -> None:
        super().__init__(name)
        self.schema = schema
        self.name = name
        self._found: Codec | None = None

    @property
    def found(self) -> Codec:
        if self._found is None:
            self._found = self.schema.codec(self.schema.known.get(self.name))
        return self._found

    def build(self, value: Any) -> Any:
        return self.found.build(value)

    def encode(self, value: Any) -> Any:
        return self.found.encode(value)

    def dump(self, value: Any) -> Any:
        return self.found.dump(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return PLAIN_DICT.fits(stored)

    def owns(self, value: Any) -> bool:
        return self.found.owns(value)

    def owns_plain(self, value: Any) -> bool:
        return self.found.owns_plain(value)


def _dict(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}
