from __future__ import annotations

import math
from typing import Any

import pytest
from flyteidl.core import interface_pb2, literals_pb2, types_pb2
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.models.literals import (
    Literal,
    LiteralType,
    Parameter,
    Variable,
    literal_map_to_flyte_idl,
    literals_by_name,
    parameters_by_name,
    variable_map_to_flyte_idl,
    variables_by_name,
)
from flyte_remote_async.models.parsed import in_order
from flyte_remote_async.models.structs import struct_from, struct_to_dict

L = literals_pb2
T = types_pb2
NEWER = b"\xf8\xff\x7f\x01"  # a field that no type has


def scalar(**value: Any) -> L.Literal:
    return L.Literal(scalar=L.Scalar(**value))


def newer(message: Any) -> Any:
    message.MergeFromString(NEWER)
    return message


@pytest.mark.parametrize(
    ("message", "kind", "uri"),
    [
        (scalar(primitive=L.Primitive(integer=0)), "primitive", None),
        (scalar(none_type=L.Void()), "none", None),
        (scalar(union=L.Union()), "union", None),
        (scalar(blob=L.Blob(uri="s3://b/k")), "blob", "s3://b/k"),
        (scalar(schema=L.Schema(uri="s3://b/s")), "schema", "s3://b/s"),
        (scalar(structured_dataset=L.StructuredDataset(uri="s3://b/d")), "structured_dataset", "s3://b/d"),
        (scalar(generic=struct_pb2.Struct()), "generic", None),
        (scalar(binary=L.Binary(tag="msgpack")), "binary", None),
        (scalar(error=T.Error()), "error", None),
        (L.Literal(collection=L.LiteralCollection()), "collection", None),
        (L.Literal(map=L.LiteralMap()), "map", None),
        (L.Literal(offloaded_metadata=L.LiteralOffloadedMetadata(uri="s3://b/o")), "offloaded", "s3://b/o"),
        (L.Literal(), "empty", None),
        (L.Literal(hash="h", metadata={"a": "b"}), "empty", None),
        (L.Literal(scalar=L.Scalar()), "empty", None),
        (newer(L.Literal(hash="h")), "unknown", None),
        (L.Literal(scalar=newer(L.Scalar())), "unknown", None),
    ],
)
def test_a_literal_says_its_kind_and_where_its_data_is(message: L.Literal, kind: str, uri: str | None) -> None:
    literal = Literal.from_flyte_idl(message)
    assert literal.kind == kind
    assert literal.uri == uri


def test_a_literal_says_its_hash_and_metadata() -> None:
    literal = Literal.from_flyte_idl(L.Literal(hash="abc", metadata={"format": "json"}))
    assert literal.hash == "abc"
    assert literal.metadata == {"format": "json"}


def test_a_large_literal_has_a_short_repr() -> None:
    literal = Literal.from_flyte_idl(scalar(primitive=L.Primitive(string_value="x" * 100_000)))
    assert repr(literal) == f"Literal(primitive, {len(literal.serialize_to_string()):,} bytes)"
    assert "integer: 3" in repr(Literal.from_flyte_idl(scalar(primitive=L.Primitive(integer=3))))


def test_names_are_in_natural_order() -> None:
    names = [f"o{number}" for number in (10, 2, 0, 1)] + ["b", "a", "o", "7"]
    assert list(in_order(dict.fromkeys(names))) == ["7", "a", "b", "o", "o0", "o1", "o2", "o10"]


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1)))
def test_a_map_of_literals_is_taken_apart_and_put_together(values: dict[str, int]) -> None:
    message = L.LiteralMap(literals={name: scalar(primitive=L.Primitive(integer=v)) for name, v in values.items()})
    literals = literals_by_name(message)
    assert set(literals) == set(values)
    assert literal_map_to_flyte_idl(literals) == message


def simple(number: int) -> T.LiteralType:
    return T.LiteralType(simple=number)  # type: ignore[arg-type] # the stub wants the enum's own type


def union(*variants: T.LiteralType) -> T.LiteralType:
    return T.LiteralType(union_type=T.UnionType(variants=variants))


def struct_type(metadata: dict[str, Any]) -> T.LiteralType:
    return T.LiteralType(simple=T.STRUCT, metadata=struct_from(metadata))


MULTIPART = T.BlobType.MULTIPART
COLUMN = T.StructuredDatasetType.DatasetColumn(name="a", literal_type=simple(T.INTEGER))


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (simple(T.NONE), "none", "None"),
        (simple(T.INTEGER), "integer", "int"),
        (simple(T.FLOAT), "float", "float"),
        (simple(T.STRING), "string", "str"),
        (simple(T.BOOLEAN), "boolean", "bool"),
        (simple(T.DATETIME), "datetime", "datetime"),
        (simple(T.DURATION), "duration", "timedelta"),
        (simple(T.BINARY), "binary", "Binary"),
        (simple(T.ERROR), "error", "FlyteError"),
        (simple(T.STRUCT), "struct", "dict"),
        (simple(99), "unknown", "unknown"),
        (T.LiteralType(), "empty", "empty"),
        (newer(T.LiteralType()), "unknown", "unknown"),
        (T.LiteralType(collection_type=simple(T.INTEGER)), "collection", "list[int]"),
        (T.LiteralType(map_value_type=T.LiteralType(collection_type=simple(T.STRING))), "map", "dict[str, list[str]]"),
        (union(simple(T.INTEGER), simple(T.NONE)), "union", "int | None"),
        (union(), "union", "Union[()]"),
        (T.LiteralType(enum_type=T.EnumType(values=["red", "blue"])), "enum", "Literal['red', 'blue']"),
        (struct_type({"title": "Point"}), "struct", "Point"),
        (struct_type({"$ref": "#/definitions/PointSchema"}), "struct", "Point"),
        (struct_type({"$ref": 3}), "struct", "dict"),
        (struct_type({"pb_type": "google.protobuf.struct_pb2.Struct"}), "struct", "Struct"),
        (T.LiteralType(blob=T.BlobType()), "blob", "FlyteFile"),
        (T.LiteralType(blob=T.BlobType(format="csv")), "blob", "FlyteFile[csv]"),
        (T.LiteralType(blob=T.BlobType(dimensionality=MULTIPART)), "blob", "FlyteDirectory"),
        (
            T.LiteralType(
                blob=T.BlobType(format="PythonPickle"), metadata=struct_from({"python_class_name": "pkg.Thing"})
            ),
            "blob",
            "pkg.Thing",
        ),
        (T.LiteralType(schema=T.SchemaType()), "schema", "FlyteSchema"),
        (
            T.LiteralType(structured_dataset_type=T.StructuredDatasetType(columns=[COLUMN])),
            "structured_dataset",
            "StructuredDataset[a: int]",
        ),
        (
            T.LiteralType(structured_dataset_type=T.StructuredDatasetType()),
            "structured_dataset",
            "StructuredDataset",
        ),
    ],
)
def test_a_type_says_its_kind_and_reads_like_an_annotation(message: T.LiteralType, kind: str, text: str) -> None:
    literal_type = LiteralType.from_flyte_idl(message)
    assert literal_type.kind == kind
    assert str(literal_type) == text


def test_a_type_says_what_is_inside_it() -> None:
    inner = LiteralType.from_flyte_idl(simple(T.INTEGER))
    listed = LiteralType.list_of(inner)
    assert listed.element == inner
    assert inner.element is None
    optional = LiteralType.from_flyte_idl(union(simple(T.INTEGER), simple(T.NONE)))
    assert [variant.kind for variant in optional.variants] == ["integer", "none"]
    assert optional.accepts_none
    assert not listed.accepts_none
    enum = LiteralType.from_flyte_idl(T.LiteralType(enum_type=T.EnumType(values=["b", "a"])))
    assert enum.enum_values == ("b", "a")


def test_a_type_says_what_its_sdk_noted() -> None:
    structure = T.TypeStructure(tag="Object", dataclass_type={"x": simple(T.INTEGER)})
    annotation = T.TypeAnnotation(annotations=struct_from({"k": [1, None]}))
    message = T.LiteralType(
        blob=T.BlobType(format="csv", dimensionality=MULTIPART),
        structure=structure,
        annotation=annotation,
        metadata=struct_from({"title": "Point"}),
    )
    literal_type = LiteralType.from_flyte_idl(message)
    assert literal_type.tag == "Object"
    assert {name: str(inner) for name, inner in literal_type.fields.items()} == {"x": "int"}
    assert literal_type.annotation == {"k": [1, None]}
    assert literal_type.metadata == {"title": "Point"}
    assert literal_type.blob_format == "csv"
    assert literal_type.is_multipart


def test_a_variable_has_a_type_and_words() -> None:
    variable = Variable.of(LiteralType.from_flyte_idl(simple(T.STRING)), "who")
    assert str(variable.type) == "str"
    assert variable.description == "who"
    message = variable_map_to_flyte_idl({"a": variable})
    assert variables_by_name(message) == {"a": variable}


def test_a_parameter_is_required_or_has_a_default() -> None:
    default = scalar(primitive=L.Primitive(integer=3))
    message = interface_pb2.ParameterMap(
        parameters={
            "b": interface_pb2.Parameter(required=True),
            "a": interface_pb2.Parameter(default=default, var=interface_pb2.Variable(type=simple(T.INTEGER))),
            "c": interface_pb2.Parameter(required=False),
            "d": interface_pb2.Parameter(),
        }
    )
    parameters = parameters_by_name(message)
    assert list(parameters) == ["a", "b", "c", "d"]
    assert {name: parameter.required for name, parameter in parameters.items()} == {
        "a": False,
        "b": True,
        "c": False,
        "d": False,
    }
    assert parameters["a"].default == Literal.from_flyte_idl(default)
    assert parameters["a"].var.type.kind == "integer"
    assert parameters["b"].default is None
    assert [parameter.behavior for parameter in parameters.values()] == ["default", "required", "required", None]
    assert isinstance(parameters["a"], Parameter)


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_plain_data_goes_through_a_struct(data: dict[str, Any]) -> None:
    assert struct_to_dict(struct_from(data)) == data


def test_a_struct_keeps_what_json_has_not() -> None:
    data = struct_to_dict(struct_from({"nan": math.nan, "inf": math.inf, "big": 1e300, "whole": 3.0}))
    assert math.isnan(data["nan"])
    assert data["inf"] == math.inf
    assert data["big"] == 1e300
    assert isinstance(data["whole"], int)
    assert struct_to_dict(struct_pb2.Struct(fields={"unset": struct_pb2.Value()})) == {"unset": None}
    with pytest.raises(ValueError):
        struct_from({"object": object()})
