"""Which type a literal has, and whether a value of one type may be used where another is declared.

Source: flytepropeller/pkg/compiler/validators of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import types_pb2

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.validators.json_schemas import schema_covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyteidl.core import literals_pb2

__all__ = ["castable", "literal_type_of"]

_PRIMITIVES: Final[Mapping[str | None, types_pb2.SimpleType]] = {
    "integer": types_pb2.INTEGER,
    "float_value": types_pb2.FLOAT,
    "string_value": types_pb2.STRING,
    "boolean": types_pb2.BOOLEAN,
    "datetime": types_pb2.DATETIME,
    "duration": types_pb2.DURATION,
}
_SCALARS: Final[Mapping[str | None, types_pb2.SimpleType]] = {
    "none_type": types_pb2.NONE,
    "error": types_pb2.ERROR,
    "generic": types_pb2.STRUCT,
}
_BINARIES: Final[Mapping[str, types_pb2.SimpleType]] = {"msgpack": types_pb2.STRUCT}
_COLUMN_TYPES: Final = {
    types_pb2.SchemaType.SchemaColumn.INTEGER: types_pb2.INTEGER,
    types_pb2.SchemaType.SchemaColumn.FLOAT: types_pb2.FLOAT,
    types_pb2.SchemaType.SchemaColumn.STRING: types_pb2.STRING,
    types_pb2.SchemaType.SchemaColumn.BOOLEAN: types_pb2.BOOLEAN,
    types_pb2.SchemaType.SchemaColumn.DATETIME: types_pb2.DATETIME,
    types_pb2.SchemaType.SchemaColumn.DURATION: types_pb2.DURATION,
}


def literal_type_of(literal: literals_pb2.Literal) -> types_pb2.LiteralType:
    """Return the type that a value shows; an unset type for a value that shows none."""
    kind = literal.WhichOneof("value")
    if kind == "scalar":
        return _scalar_type(literal.scalar)
    if kind == "collection":
        return types_pb2.LiteralType(collection_type=_common_type(literal.collection.literals))
    if kind == "map":
        return types_pb2.LiteralType(map_value_type=_common_type(literal.map.literals.values()))
    if kind == "offloaded_metadata":
        return literal.offloaded_metadata.inferred_type
    return types_pb2.LiteralType()


def castable(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    """Return whether a value of the upstream type may be used where the downstream type is declared."""
    variants = upstream.union_type.variants
    if len(variants) == 1 and _casts(variants[0], downstream):
        return True
    return _casts(upstream, downstream)


def _scalar_type(scalar: literals_pb2.Scalar) -> types_pb2.LiteralType:
    match scalar.WhichOneof("value"):
        case "primitive":
            shown = types_pb2.LiteralType(simple=_PRIMITIVES.get(scalar.primitive.WhichOneof("value"), types_pb2.NONE))
        case "binary":
            shown = types_pb2.LiteralType(simple=_BINARIES.get(scalar.binary.tag, types_pb2.BINARY))
        case "blob":
            known = scalar.blob.HasField("metadata")
            shown = types_pb2.LiteralType(blob=scalar.blob.metadata.type) if known else types_pb2.LiteralType()
        case "schema":
            shown = types_pb2.LiteralType(schema=scalar.schema.type)
        case "structured_dataset":
            dataset = scalar.structured_dataset.metadata.structured_dataset_type
            shown = types_pb2.LiteralType(structured_dataset_type=dataset)
        case "union":
            shown = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[scalar.union.type]))
        case kind:
            shown = types_pb2.LiteralType(simple=_SCALARS.get(kind))
    return shown


def _common_type(literals: Iterable[literals_pb2.Literal]) -> types_pb2.LiteralType:
    """Return the one type of all elements, or the union of their types; NONE when there are no elements."""
    none, seen = None, {}
    for literal in literals:
        found = literal_type_of(literal)
        if literal.WhichOneof("value") == "collection" and not literal.collection.literals:
            none = found
        else:
            seen[prototext(found)] = found
    types = [seen[text] for text in sorted(seen)] or ([none] if none is not None else [])
    if len(types) == 1:
        return types[0]
    return _union(types) if types else types_pb2.LiteralType(simple=types_pb2.NONE)


def _union(types: list[types_pb2.LiteralType]) -> types_pb2.LiteralType:
    # Lists whose elements have several types become one list over the union of all of them.
    nested = [list(each.collection_type.union_type.variants) for each in types]
    variants = [variant for each, inner in zip(types, nested, strict=True) for variant in (inner or [each])]
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants))
    return types_pb2.LiteralType(collection_type=union) if any(nested) else union


def _casts(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    match downstream.WhichOneof("type"):
        case "collection_type" | "map_value_type" as kind:
            fits = _element_casts(upstream, downstream, kind)
        case "blob":
            formats = (upstream.blob.format, downstream.blob.format)
            fits = upstream.HasField("blob") and ("" in formats or formats[0] == formats[1])
        case "union_type":
            fits = _casts_to_union(upstream, downstream.union_type)
        case "schema" | "structured_dataset_type":
            fits = _casts_to_table(upstream, downstream)
        case "simple" if downstream.simple == types_pb2.NONE:
            fits = _is_none(upstream)
        case _:
            fits = _casts_trivially(upstream, downstream)
    return fits


def _element_casts(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType, kind: str) -> bool:
    # An empty list shows no type of its elements, and fits every list.
    if not upstream.HasField(kind):
        return False
    element = getattr(upstream, kind)
    return _is_none(element) or _casts(element, getattr(downstream, kind))


def _casts_to_union(upstream: types_pb2.LiteralType, union: types_pb2.UnionType) -> bool:
    if upstream.HasField("union_type"):
        return all(any(castable(up, down) for down in union.variants) for up in upstream.union_type.variants)
    # A bare value must choose its variant without doubt.
    return sum(castable(upstream, variant) for variant in union.variants) == 1


def _casts_to_table(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    if downstream.HasField("structured_dataset_type") and _is_none(upstream):
        return True
    if upstream.WhichOneof("type") not in ("schema", "structured_dataset_type"):
        return False
    formats = {_format(side) for side in (upstream, downstream)} - {""}
    if len(formats) > 1:
        return False
    if upstream.HasField("structured_dataset_type") and downstream.HasField("structured_dataset_type"):
        return _columns_cast(upstream.structured_dataset_type, downstream.structured_dataset_type)
    columns = _columns(upstream)
    wanted = _columns(downstream)
    return not columns or not wanted or all(columns.get(name) == kind for name, kind in wanted.items())


def _columns_cast(upstream: types_pb2.StructuredDatasetType, downstream: types_pb2.StructuredDatasetType) -> bool:
    columns = {column.name: column.literal_type for column in upstream.columns}
    return not columns or all(
        column.name in columns and _casts(columns[column.name], column.literal_type) for column in downstream.columns
    )


def _format(table: types_pb2.LiteralType) -> str:
    # A schema is stored as parquet, always; two schemas need not be compared in that.
    return "parquet" if table.HasField("schema") else str(table.structured_dataset_type.format).lower()


def _columns(table: types_pb2.LiteralType) -> dict[str, Any]:
    if table.HasField("schema"):
        return {column.name: _COLUMN_TYPES.get(column.type) for column in table.schema.columns}
    return {column.name: column.literal_type.simple for column in table.structured_dataset_type.columns}


def _casts_trivially(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    strings = (upstream.simple == types_pb2.STRING, downstream.simple == types_pb2.STRING)
    if (upstream.HasField("enum_type") and strings[1]) or (downstream.HasField("enum_type") and strings[0]):
        return True
    if upstream.structure.tag and upstream.structure.tag != downstream.structure.tag:
        return False
    if upstream.simple == downstream.simple == types_pb2.STRUCT:
        return _structure_casts(upstream, downstream)
    return _bare(upstream) == _bare(downstream)


def _structure_casts(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    if not (upstream.HasField("metadata") and downstream.HasField("metadata")):
        return True
    if upstream.metadata == downstream.metadata:
        return True
    from google.protobuf.json_format import MessageToDict  # seldom needed, and dear to import

    return schema_covers(MessageToDict(upstream.metadata), MessageToDict(downstream.metadata))


def _bare(kind: types_pb2.LiteralType) -> types_pb2.LiteralType:
    bare = types_pb2.LiteralType()
    bare.CopyFrom(kind)
    for field in ("structure", "metadata", "annotation"):
        bare.ClearField(field)
    return bare


def _is_none(kind: types_pb2.LiteralType) -> bool:
    return kind.HasField("simple") and kind.simple == types_pb2.NONE
