"""Literals and types as the page shows them."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.web.page.types import type_text
from flyte_remote_async.devserver.web.page.values import shown


def scalar(**value: Any) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(**value))


def primitive(**value: Any) -> literals_pb2.Literal:
    return scalar(primitive=literals_pb2.Primitive(**value))


def binary(value: bytes, tag: str = "msgpack") -> literals_pb2.Literal:
    return scalar(binary=literals_pb2.Binary(value=value, tag=tag))


def blob(uri: str, kind: types_pb2.BlobType.BlobDimensionality = types_pb2.BlobType.SINGLE) -> literals_pb2.Literal:
    of = literals_pb2.BlobMetadata(type=types_pb2.BlobType(dimensionality=kind))
    return scalar(blob=literals_pb2.Blob(uri=uri, metadata=of))


def collection(*items: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (primitive(integer=3), "3"),
        (primitive(float_value=float("nan")), "NaN"),
        (primitive(boolean=True), "true"),
        (primitive(string_value="<b>\n"), "<b>\n"),
        (primitive(datetime=timestamp_pb2.Timestamp(seconds=1)), "1970-01-01T00:00:01Z"),
        (primitive(datetime=timestamp_pb2.Timestamp(seconds=10**12)), "1000000000000.000000000s"),
        (primitive(duration=duration_pb2.Duration(seconds=90)), "90s"),
        (primitive(), "null"),
        (scalar(none_type=literals_pb2.Void()), "null"),
        (scalar(), "null"),
        (literals_pb2.Literal(), "null"),
        (scalar(union=literals_pb2.Union(value=primitive(integer=4))), "4"),
        (scalar(generic=json_format.ParseDict({"a": [1, None, "x"]}, struct_pb2.Struct())), '{"a": [1, null, "x"]}'),
        (scalar(error=types_pb2.Error(failed_node_id="n0", message="boom")), "error at n0: boom"),
        (scalar(schema=literals_pb2.Schema(uri="s3://b/schema")), "s3://b/schema"),
        (scalar(structured_dataset=literals_pb2.StructuredDataset(uri="s3://b/table")), "s3://b/table"),
        (blob("s3://b/file"), "s3://b/file"),
        (binary(msgpack.packb({"a": b"12", "b": 1.5})), '{"a": "<2 bytes>", "b": 1.5}'),
        (binary(msgpack.packb({1: "x"})), '{"1": "x"}'),
        (binary(b"\xc1"), "<1 bytes of msgpack>"),
        (binary(b"xyz", "pickle"), "<3 bytes of pickle>"),
        (binary(b"xyz", ""), "<3 bytes>"),
        (collection(primitive(integer=1), primitive(string_value="é")), '[1, "é"]'),
        (
            literals_pb2.Literal(
                offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri="s3://b/part", size_bytes=12)
            ),
            "s3://b/part (12 bytes, stored apart)",
        ),
    ],
)
def test_a_literal_has_a_text(literal: literals_pb2.Literal, text: str) -> None:
    assert shown(literal).text == text


def test_maps_are_in_the_order_of_their_keys() -> None:
    entries = {name: primitive(integer=index) for index, name in enumerate("cab")}
    assert shown(literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=entries))).text == '{"a": 1, "b": 2, "c": 0}'


def test_a_long_value_takes_several_lines() -> None:
    text = shown(collection(*(primitive(integer=index) for index in range(100)))).text
    assert text.startswith("[\n  0,\n  1,")


@pytest.mark.parametrize("depth", [5, 400, 960, 1010, 5000])
def test_msgpack_of_any_depth_has_a_text(depth: int) -> None:
    text = shown(binary(b"\x91" * depth + b"\x01")).text
    assert "".join(text.split()) in {"[" * depth + "1" + "]" * depth, f"<{depth + 1}bytesofmsgpack>"}


def test_strings_are_told_from_what_stands_for_a_value() -> None:
    text = primitive(string_value="s3://b/file")
    assert shown(text).is_text
    assert shown(scalar(union=literals_pb2.Union(value=text))).is_text
    assert not shown(blob("s3://b/file")).is_text
    assert shown(text).places == ()


def test_files_can_be_opened_and_directories_cannot() -> None:
    folder = blob("s3://b/folder", types_pb2.BlobType.MULTIPART)
    inner = literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"b": blob("s3://b/2"), "a": blob("s3://b/1")}))
    offloaded = literals_pb2.Literal(offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri="s3://b/3"))
    union = scalar(union=literals_pb2.Union(value=blob("s3://b/0")))
    found = shown(collection(union, folder, inner, offloaded)).places
    assert found == ("s3://b/0", "s3://b/1", "s3://b/2", "s3://b/3")


def test_places_are_bounded() -> None:
    assert len(shown(collection(*(blob(f"s3://b/{index}") for index in range(50)))).places) == 20


@given(st.binary(max_size=200))
def test_whatever_a_literal_holds_has_a_text(data: bytes) -> None:
    assert shown(binary(data)).text


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (types_pb2.LiteralType(simple=types_pb2.INTEGER), "int"),
        (types_pb2.LiteralType(simple=types_pb2.STRUCT), "struct"),
        (
            types_pb2.LiteralType(
                simple=types_pb2.STRUCT, metadata=json_format.ParseDict({"title": "Point"}, struct_pb2.Struct())
            ),
            "Point",
        ),
        (
            types_pb2.LiteralType(simple=types_pb2.INTEGER, structure=types_pb2.TypeStructure(tag="short")),
            "short",
        ),
        (
            types_pb2.LiteralType(collection_type=types_pb2.LiteralType(simple=types_pb2.STRING)),
            "list[str]",
        ),
        (
            types_pb2.LiteralType(map_value_type=types_pb2.LiteralType(simple=types_pb2.DATETIME)),
            "dict[str, datetime]",
        ),
        (
            types_pb2.LiteralType(
                union_type=types_pb2.UnionType(
                    variants=[types_pb2.LiteralType(simple=each) for each in (types_pb2.FLOAT, types_pb2.NONE)]
                )
            ),
            "float | None",
        ),
        (types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["red", "blue"])), "enum(red, blue)"),
        (types_pb2.LiteralType(blob=types_pb2.BlobType(format="csv")), "file (csv)"),
        (types_pb2.LiteralType(blob=types_pb2.BlobType(dimensionality=types_pb2.BlobType.MULTIPART)), "directory"),
        (types_pb2.LiteralType(schema=types_pb2.SchemaType()), "schema"),
        (
            types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType(format="parquet")),
            "structured dataset (parquet)",
        ),
        (types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType()), "structured dataset"),
        (types_pb2.LiteralType(), "unknown"),
    ],
)
def test_a_type_has_a_text(declared: types_pb2.LiteralType, text: str) -> None:
    assert type_text(declared) == text
