"""Writing literals: the forms that flytekit writes, and what is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import EncodeError
from flyte_remote_async.literals import FlyteError, FlyteFile, decode, encode
from flyte_remote_async.models.literals import LiteralType

if TYPE_CHECKING:
    from flyte_remote_async.models.literals import Literal


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Shade(str, enum.Enum):  # noqa: UP042 - what users have
    RED = "red"


class Number(enum.Enum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: float


@dataclasses.dataclass
class Line:
    start: Point
    end: Point | None = None
    made: dt.datetime | None = None
    took: dt.timedelta | None = None
    tags: set[str] = dataclasses.field(default_factory=set)
    either: int | str = 0
    anything: Any = None


@dataclasses.dataclass
class Point3(Point):
    z: float


def simple(number: types_pb2.SimpleType, tag: str | None = None) -> types_pb2.LiteralType:
    structure = None if tag is None else types_pb2.TypeStructure(tag=tag)
    return types_pb2.LiteralType(simple=number, structure=structure)


INTEGER, FLOAT = simple(types_pb2.INTEGER), simple(types_pb2.FLOAT)
STRING, BOOLEAN = simple(types_pb2.STRING), simple(types_pb2.BOOLEAN)
DATETIME, DURATION = simple(types_pb2.DATETIME), simple(types_pb2.DURATION)
STRUCT, NONE = simple(types_pb2.STRUCT), simple(types_pb2.NONE)
ENUM = types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["red", "green"]))
INTS = types_pb2.LiteralType(collection_type=INTEGER)
MAP = types_pb2.LiteralType(map_value_type=INTEGER)
BLOB = types_pb2.LiteralType(blob=types_pb2.BlobType())


def union_of(*variants: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants))


NUMBER = union_of(simple(types_pb2.INTEGER, "int"), simple(types_pb2.FLOAT, "float"))
OPTIONAL = union_of(simple(types_pb2.INTEGER, "int"), simple(types_pb2.NONE, "none"))
LISTS = union_of(INTS, types_pb2.LiteralType(collection_type=STRING))


def point_type() -> types_pb2.LiteralType:
    declared = simple(types_pb2.STRUCT)
    declared.metadata.update({"title": "Point"})
    declared.structure.dataclass_type["x"].CopyFrom(INTEGER)
    declared.structure.dataclass_type["y"].CopyFrom(FLOAT)
    return declared


def refused(value: Any, declared: Any, hint: Any = None) -> EncodeError:
    with pytest.raises(EncodeError) as caught:
        encode(value, declared, hint)
    return caught.value


def payload(literal: Literal) -> Any:
    binary = literal.to_flyte_idl().scalar.binary
    assert binary.tag == "msgpack"
    return msgpack.unpackb(binary.value, strict_map_key=False)


def test_a_literal_passes_through() -> None:
    literal = encode(1, INTEGER)
    assert encode(literal, STRING) is literal
    assert encode(literal.to_flyte_idl(), LiteralType.from_flyte_idl(STRING)) == literal


@pytest.mark.parametrize(
    ("value", "declared", "field", "written"),
    [
        (3, FLOAT, "float_value", 3.0),
        (-(2**63), INTEGER, "integer", -(2**63)),
        (True, BOOLEAN, "boolean", True),
        (Shade.RED, STRING, "string_value", "red"),
        (Shade.RED, ENUM, "string_value", "red"),
        (Color.GREEN, ENUM, "string_value", "green"),
        ("green", ENUM, "string_value", "green"),
    ],
)
def test_primitives_have_the_form_of_their_type(value: Any, declared: Any, field: str, written: Any) -> None:
    primitive = encode(value, declared).to_flyte_idl().scalar.primitive
    assert primitive.WhichOneof("value") == field
    assert getattr(primitive, field) == written


def test_times_are_written_in_utc() -> None:
    east = dt.timezone(dt.timedelta(hours=5, minutes=30))
    stamp = encode(dt.datetime(2020, 6, 1, 12, tzinfo=east), DATETIME).to_flyte_idl().scalar.primitive.datetime
    assert stamp.ToJsonString() == "2020-06-01T06:30:00Z"
    early = dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)
    stamp = encode(early, DATETIME).to_flyte_idl().scalar.primitive.datetime
    assert (stamp.seconds, stamp.nanos) == (-1, 999999000)
    span = encode(dt.timedelta(microseconds=-1), DURATION).to_flyte_idl().scalar.primitive.duration
    assert (span.seconds, span.nanos) == (0, -1000)


@pytest.mark.parametrize(
    ("value", "declared", "hint", "words"),
    [
        (True, INTEGER, None, "True (bool)"),
        (1.0, INTEGER, None, "1.0 (float)"),
        (2**63, INTEGER, None, "beyond 64 bits"),
        (2**53 + 1, FLOAT, None, "a double would round it"),
        (10**400, FLOAT, None, "a double would round it"),
        (True, FLOAT, None, "True (bool)"),
        (1, BOOLEAN, None, "1 (int)"),
        (1, STRING, None, "1 (int)"),
        ("\ud800", STRING, None, "surrogate"),
        (Color.RED, STRING, None, "Color.RED"),
        (None, STRING, None, "None"),
        (0, NONE, None, "0 (int)"),
        ("2020-01-01", DATETIME, None, "'2020-01-01'"),
        (dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))), DATETIME, None, "years 1 and 9999"),
        (dt.datetime.now(dt.UTC), DATETIME, dt.date, "as date"),
        (1.5, DURATION, None, "1.5"),
        ("blue", ENUM, None, "'blue'"),
        (Number.ONE, ENUM, None, "Number.ONE"),
        (Shade.RED, ENUM, Color, "Shade.RED"),
        (Number.ONE, STRING, Number, "declared type is str"),
        ((1, 2), INTS, None, "(1, 2)"),
        ({1: 2}, MAP, None, "{1: 2}"),
        ([1], MAP, None, "[1]"),
        ([1], STRUCT, None, "[1]"),
        ([1], STRUCT, dict[int, int], "[1]"),
        ({"at": dt.date(2020, 1, 1)}, STRUCT, None, "no msgpack form"),
        ({"huge": 2**64}, STRUCT, None, "no msgpack form"),
        (Point(1, 2.0), STRUCT, None, "Point"),
        (Point3(1, 2.0, 3.0), STRUCT, Point, "Point3"),
        ({"x": 1}, STRUCT, Point, "missing: y"),
        ({"x": 1, "y": 2.0, "z": 3}, STRUCT, Point, "unknown: z"),
        (5, STRUCT, Point, "5 (int)"),
        (Point3(1, 2.0, 3.0), point_type(), None, "unknown: z"),
        ({"x": 1}, point_type(), None, "missing: y"),
        (5, point_type(), None, "as Point: got 5"),
        ("x", OPTIONAL, None, "as int | None: got 'x'"),
        ([], LISTS, None, "several types of the union: list[int], list[str]"),
        (5, BLOB, None, "got 5 (int)"),
        (FlyteFile("s3://b/\ud800"), BLOB, None, "surrogates"),
        ({"\ud800": 1}, MAP, None, "surrogates"),
        (FlyteError(5), types_pb2.LiteralType(simple=types_pb2.ERROR), None, "protobuf does not take it"),  # type: ignore[arg-type]
        ("folder/k", BLOB, None, "has to be stored first"),
        (1, INTEGER, complex, "no rule"),
        (1, INTEGER, str, "declared type is int"),
        ((1, 2), INTS, tuple[int, int], "declared type is list[int]"),
        (1.5, OPTIONAL, int, "1.5"),
        ({"a": object()}, STRUCT, dict[str, Any], "no plain form"),
        (b"raw", STRUCT, bytes, "declared type is dict"),
    ],
)
def test_says_what_cannot_be_written(value: Any, declared: Any, hint: Any, words: str) -> None:
    assert words in str(refused(value, declared, hint))


@pytest.mark.parametrize(
    ("value", "declared", "hint", "path"),
    [
        ([1, "a"], INTS, None, "[1]"),
        ({"k": None}, MAP, None, "['k']"),
        ([[1], ["a"]], types_pb2.LiteralType(collection_type=INTS), None, "[1][0]"),
        ([1, "a"], union_of(INTS, NONE), None, "[1]"),
        ({"x": "1", "y": 2.0}, point_type(), None, ".x"),
        (Line(Point("1", 2.0)), STRUCT, Line, ".start.x"),  # type: ignore[arg-type]
        (Line(Point(1, 2.0), either=1.5), STRUCT, Line, ".either"),  # type: ignore[arg-type]
        (Line(Point(1, 2.0), tags=["a"]), STRUCT, Line, ".tags"),  # type: ignore[arg-type]
        (Line(Point(1, 2.0), made=dt.date(2020, 1, 1)), STRUCT, Line, ".made"),  # type: ignore[arg-type]
        ({1: dt.datetime.now(dt.UTC)}, STRUCT, dict[int, dt.date], "[1]"),
        ({1: 2}, STRUCT, dict[int, list[int]], "[1]"),
        ({1: 2}, STRUCT, dict[int, dict[int, int]], "[1]"),
        ({1: 2}, STRUCT, dict[int, dict], "[1]"),  # type: ignore[type-arg]
        ({1: 2}, STRUCT, dict[int, Color], "[1]"),
        (Line(Point(1, 2.0), took=5), STRUCT, Line, ".took"),  # type: ignore[arg-type]
        (Line(Point(1, 2.0), anything=[{"a": object()}]), STRUCT, Line, ".anything[0]['a']"),
        ({1: {"a": 1}}, STRUCT, dict[int, Point], "[1]"),
    ],
)
def test_says_where_it_cannot_be_written(value: Any, declared: Any, hint: Any, path: str) -> None:
    assert refused(value, declared, hint).path == path


@pytest.mark.parametrize(("value", "tag"), [(1, "int"), (1.0, "float")])
def test_a_union_has_the_exact_tag_of_its_variant(value: Any, tag: str) -> None:
    union = encode(value, NUMBER).to_flyte_idl().scalar.union
    assert union.type.structure.tag == tag
    assert not union.type.structure.dataclass_type


def test_a_variant_keeps_its_type_but_for_the_structure() -> None:
    variant = point_type()
    variant.structure.tag = "Object-Dataclass-Transformer"
    declared = union_of(variant, simple(types_pb2.NONE, "none"))
    for hint in (None, Point, Point | None):
        union = encode(Point(1, 2.0), declared, hint).to_flyte_idl().scalar.union
        assert union.type.metadata == variant.metadata
        assert union.type.structure == types_pb2.TypeStructure(tag="Object-Dataclass-Transformer")
    assert decode(encode(None, declared), declared) is None


def test_a_variant_without_a_tag_gets_the_one_of_its_kind() -> None:
    assert encode([1], LISTS).to_flyte_idl().scalar.union.type.structure.tag == "Typed List"
    assert encode({}, union_of(MAP, INTEGER)).to_flyte_idl().scalar.union.type.structure.tag == "Typed Dict"
    assert encode("red", union_of(ENUM, INTEGER)).to_flyte_idl().scalar.union.type.structure.tag == (
        "DefaultEnumTransformer"
    )


def test_the_type_that_a_value_has_comes_before_one_that_it_can_become() -> None:
    declared = union_of(ENUM, STRING)
    assert encode("red", declared).to_flyte_idl().scalar.union.type.WhichOneof("type") == "simple"
    assert encode(Color.RED, declared).to_flyte_idl().scalar.union.type.WhichOneof("type") == "enum_type"
    dates = union_of(simple(types_pb2.DATETIME, "datetime"), simple(types_pb2.DATETIME, "date"))
    for value, tag in ((dt.date(2020, 1, 1), "date"), (dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "datetime")):
        literal = encode(value, dates)
        assert literal.to_flyte_idl().scalar.union.type.structure.tag == tag
        assert decode(literal, dates) == value
    floats = types_pb2.LiteralType(collection_type=FLOAT)
    assert decode(encode([1], union_of(floats, INTS)), union_of(floats, INTS)) == [1]
    maps = union_of(types_pb2.LiteralType(map_value_type=FLOAT), MAP)
    assert type(decode(encode({"a": 1}, maps), maps)["a"]) is int


def test_a_dataclass_is_msgpack_in_the_order_of_its_fields() -> None:
    line = Line(Point(1, 2.0), made=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), took=dt.timedelta(seconds=1.5))
    written = payload(encode(line, STRUCT, Line))
    assert list(written) == ["start", "end", "made", "took", "tags", "either", "anything"]
    assert written["made"] == "2020-01-01T00:00:00+00:00"
    assert written["took"] == 1.5
    assert payload(encode({"start": {"x": 1, "y": 2}}, STRUCT, Line)) == {"start": {"x": 1, "y": 2.0}}


def test_without_a_hint_the_declared_fields_count() -> None:
    declared = simple(types_pb2.STRUCT)
    fields = declared.structure.dataclass_type
    fields["points"].collection_type.CopyFrom(point_type())
    fields["by_name"].map_value_type.CopyFrom(point_type())
    fields["color"].CopyFrom(ENUM)
    fields["at"].CopyFrom(DATETIME)
    fields["maybe"].CopyFrom(OPTIONAL)
    value = {
        "points": [Point(1, 2)],
        "by_name": {"a": {"x": 1, "y": 2.0}},
        "color": Color.RED,
        "at": dt.date(2020, 1, 1),
    }
    written = payload(encode(value, declared))
    assert written == {
        "points": [{"x": 1, "y": 2.0}],
        "by_name": {"a": {"x": 1, "y": 2.0}},
        "color": "red",
        "at": "2020-01-01",
    }
    assert type(written["points"][0]["y"]) is float
    assert refused(value | {"color": "blue"}, declared).path == ".color"
    assert refused(value | {"by_name": {"a": {"x": 1, "y": 2}}}, declared).path == ".by_name['a'].y"
    assert refused(value | {"maybe": "1"}, declared).path == ".maybe"


def test_a_schema_serves_where_the_fields_have_no_types() -> None:
    declared = simple(types_pb2.STRUCT)
    node: dict[str, Any] = {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            "raw": {"type": "string", "format": "base64"},
            "by_name": {"type": "object", "additionalProperties": {"type": "number"}},
            "words": {"type": "array", "items": {"type": ["string", "null"]}},
            "pair": {"type": "array"},
            "old": {"type": "number", "format": "integer"},
            "free": {"type": "object"},
        },
    }
    declared.metadata.update({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    value = {
        "n": 1,
        "next": None,
        "raw": b"\x00",
        "by_name": {"a": 1.0},
        "words": ["a", None],
        "pair": [1, "a"],
        "old": 3,
        "free": {"a": 1},
    }
    assert decode(encode(value, declared), declared) == value
    nested = value | {"next": value}
    assert decode(encode(nested, declared), declared) == nested
    titled = simple(types_pb2.STRUCT)
    titled.metadata.update({"title": "Opaque", "type": "object"})
    assert payload(encode(Point(1, 2.0), titled)) == {"x": 1, "y": 2.0}
    assert "as Opaque" in str(refused(5, titled))
    assert decode(encode(Point(1, 2.0), titled), titled) == {"x": 1, "y": 2.0}


def test_a_reference_is_a_variant_like_others() -> None:
    declared = simple(types_pb2.STRUCT)
    declared.metadata.update({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {"n": {}}}}})
    both = union_of(declared, INTEGER)
    assert decode(encode({"n": 1}, both), both) == {"n": 1}
    assert decode(encode({"n": Color.RED}, declared), declared) == {"n": "red"}
    assert decode(encode(3, both), both) == 3


def test_what_cannot_be_read_again_is_not_written() -> None:
    declared, value = INTEGER, 1
    for _ in range(60):
        declared, value = types_pb2.LiteralType(collection_type=declared), [value]  # type: ignore[assignment]
    assert "nested too deeply" in str(refused(value, declared))
    loop: list[Any] = []
    loop.append(loop)
    assert "nested too deeply" in str(refused({"a": loop}, STRUCT, dict[str, Any]))
    assert "no msgpack form" in str(refused({"a": loop}, STRUCT))


def test_a_payload_of_keys_that_are_no_strings() -> None:
    literal = encode({1: Point(1, 2.0)}, STRUCT, dict[int, Point])
    assert payload(literal) == {1: {"x": 1, "y": 2.0}}
    assert encode({"a": 1}, MAP, dict[str, int]).to_flyte_idl().WhichOneof("value") == "map"
    assert payload(encode({"a": 1}, STRUCT, dict[str, int])) == {"a": 1}
    assert payload(encode({1: (1, "a")}, STRUCT, dict[int, tuple[int, str]])) == {1: [1, "a"]}
    assert payload(encode({1: b"raw"}, STRUCT, dict[int, bytes])) == {1: b"raw"}
    assert refused({1: (1,)}, STRUCT, dict[int, tuple[int, str]]).path == "[1]"
    assert refused({1: "raw"}, STRUCT, dict[int, bytes]).path == "[1]"


def test_union_wraps_only_what_it_wraps() -> None:
    assert isinstance(encode(1, OPTIONAL).to_flyte_idl().scalar.union, literals_pb2.Union)
    assert decode(encode(1, OPTIONAL, int), OPTIONAL, int) == 1
