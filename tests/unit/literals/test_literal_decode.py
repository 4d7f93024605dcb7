"""Reading literals: kinds, hints, errors with their path."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import pickle
from typing import Annotated, Any, Generic, NewType, TypeVar

import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals import FlyteFile, StructuredDataset, decode
from flyte_remote_async.literals.failures import FlyteError
from flyte_remote_async.models.literals import Literal, LiteralType

T = TypeVar("T")
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
STRING = types_pb2.LiteralType(simple=types_pb2.STRING)
STRUCT = types_pb2.LiteralType(simple=types_pb2.STRUCT)


class Color(enum.Enum):
    RED = "red"


class Level(enum.Enum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


@dataclasses.dataclass
class Tree:
    label: str
    kids: list[Tree] = dataclasses.field(default_factory=list)
    made: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass
class Unresolved:
    field: NoSuchName  # type: ignore[name-defined]  # noqa: F821


@dataclasses.dataclass
class Picky:
    x: int

    def __post_init__(self) -> None:
        raise RuntimeError("never")


@dataclasses.dataclass
class Box(Generic[T]):
    item: T


UserId = NewType("UserId", int)


def primitive(**field: Any) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(**field)))


def packed(value: Any) -> literals_pb2.Literal:
    return of_bytes(msgpack.packb(value))


def of_bytes(data: bytes) -> literals_pb2.Literal:
    binary = literals_pb2.Binary(value=data, tag="msgpack")
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))


def generic(value: dict[str, Any]) -> literals_pb2.Literal:
    struct = struct_pb2.Struct()
    struct.update(value)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=struct))


def collection(*literals: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=literals))


def wrapped(value: literals_pb2.Literal, stored: types_pb2.LiteralType) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=value, type=stored)))


def tagged(number: types_pb2.SimpleType, tag: str) -> types_pb2.LiteralType:
    return types_pb2.LiteralType(simple=number, structure=types_pb2.TypeStructure(tag=tag))


def union_of(*variants: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants))


NONE = literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))
INT_OR_STR = union_of(tagged(types_pb2.INTEGER, "int"), tagged(types_pb2.STRING, "str"))


OFFLOADED = literals_pb2.Literal(offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri="s3://b/k"))


def fails(literal: Any, declared: Any = None, hint: Any = None) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(literal, declared, hint)
    assert pickle.loads(pickle.dumps(caught.value)).path == caught.value.path
    return caught.value


def test_reads_our_literals_and_those_of_protobuf() -> None:
    message = primitive(integer=3)
    assert decode(message, INTEGER) == decode(Literal.from_flyte_idl(message), LiteralType.from_flyte_idl(INTEGER)) == 3


@pytest.mark.parametrize(
    ("literal", "hint", "value"),
    [
        (primitive(float_value=4.0), int, 4),
        (primitive(integer=4), float, 4.0),
        (primitive(integer=4), UserId, 4),
        (primitive(integer=4), Annotated[int, {"not": "hashable"}], 4),
        (primitive(integer=4), Any, 4),
        (primitive(integer=4), object, 4),
        (primitive(string_value="red"), Color, Color.RED),
        (packed("red"), Color, Color.RED),
        (packed(1), Level, Level.LOW),
        (packed(4), int, 4),
        (packed(4.0), int, 4),
        (packed(4), float, 4.0),
        (packed("2020-01-01T00:00:00+01:00"), dt.datetime, dt.datetime.fromisoformat("2020-01-01T00:00:00+01:00")),
        (packed("2020-01-01"), dt.date, dt.date(2020, 1, 1)),
        (packed(1.5), dt.timedelta, dt.timedelta(seconds=1.5)),
        (packed(None), type(None), None),
        (packed(None), int | None, None),
        (packed({"1": "a"}), dict[int, str], {1: "a"}),
        (packed({"1.5": "a"}), dict[float, str], {1.5: "a"}),
        (packed([[1, "a"], [2, "b"]]), list[tuple[int, str]], [(1, "a"), (2, "b")]),
        (packed([1, 2]), tuple[int, ...], (1, 2)),
        (packed([1, 1]), set[int], {1}),
        (packed(b"\x00"), bytes, b"\x00"),
        (generic({"x": 1.0, "y": 2.0, "z": 3.0}), Point, Point(1, 2.0)),
        (packed({"x": 1}), Point, Point(1, 0.5)),
        (packed({"label": "a", "kids": [{"label": "b"}]}), Tree, Tree("a", [Tree("b")])),
        (collection(packed(1), primitive(integer=2)), list[int], [1, 2]),
        (collection(packed(1)), list, [1]),
        (packed({"a": [1]}), dict[str, Any], {"a": [1]}),
        (packed(1.0), int | str, 1),
        (packed(3), float | list[int] | None, 3.0),
        (packed([3]), float | list[int] | None, [3]),
        (primitive(integer=1), int | float, 1),
        (primitive(float_value=1.5), int | float, 1.5),
        (collection(primitive(integer=1)), list[int] | list[float], [1]),
        (wrapped(primitive(integer=7), tagged(types_pb2.INTEGER, "int")), int, 7),
        (wrapped(primitive(integer=7), tagged(types_pb2.INTEGER, "int")), int | None, 7),
        (collection(), list[Point], []),
    ],
)
def test_reads_the_type_that_is_asked_for(literal: literals_pb2.Literal, hint: Any, value: Any) -> None:
    found = decode(literal, None, hint)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (collection(primitive(integer=1), packed({"a": 1}), NONE), [1, {"a": 1}, None]),
        (literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"a": primitive(boolean=True)})), {"a": True}),
        (wrapped(primitive(float_value=2.0), INTEGER), 2),
        (wrapped(primitive(float_value=2.0), types_pb2.LiteralType()), 2.0),
        (generic({"a": 1, "b": [None, True, "s"]}), {"a": 1.0, "b": [None, True, "s"]}),
    ],
)
def test_without_a_type_a_literal_says_what_it_is(literal: literals_pb2.Literal, value: Any) -> None:
    assert decode(literal) == value


def test_without_a_hint_the_types_of_the_fields_count() -> None:
    point = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    point.structure.dataclass_type["x"].simple = types_pb2.INTEGER
    point.structure.dataclass_type["at"].simple = types_pb2.DATETIME
    declared = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    fields = declared.structure.dataclass_type
    fields["points"].collection_type.CopyFrom(point)
    fields["by_name"].map_value_type.CopyFrom(point)
    fields["maybe"].CopyFrom(union_of(point, tagged(types_pb2.NONE, "none")))
    fields["color"].enum_type.values.append("red")
    fields["file"].blob.SetInParent()
    value = {
        "points": [{"x": 1.0, "at": "2020-01-01"}],
        "by_name": {"a": {"x": 2.0}},
        "maybe": None,
        "color": "another",
        "file": {"path": "s3://b/k"},
        "unknown": 1,
    }
    found = decode(generic(value), declared)
    assert found == {key: item for key, item in value.items() if key != "unknown"}
    assert type(found["points"][0]["x"]) is type(found["by_name"]["a"]["x"]) is int


def test_a_json_schema_may_contain_itself() -> None:
    declared = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    node: dict[str, Any] = {
        "type": "object",
        "title": "Node",
        "properties": {"n": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
    }
    declared.metadata.update({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert decode(generic({"n": 1, "next": {"n": 2, "next": None}}), declared) == {
        "n": 1,
        "next": {"n": 2, "next": None},
    }
    deep: dict[str, Any] = {"n": 0, "next": None}
    for _ in range(450):
        deep = {"n": 0, "next": deep}
    assert "nested too deeply" in str(fails(packed(deep), declared))


@pytest.mark.parametrize(
    ("literal", "hint", "words"),
    [
        (primitive(boolean=True), int, "boolean"),
        (primitive(integer=1), bool, "integer"),
        (primitive(string_value="1"), int, "string_value"),
        (primitive(float_value=float("nan")), int, "nan"),
        (primitive(integer=2**53 + 1), float, "9007199254740993"),
        (primitive(integer=1), Color, "integer"),
        (primitive(string_value="blue"), Color, "'blue'"),
        (packed(True), Level, "True"),
        (packed(True), int, "True"),
        (packed("false"), bool, "'false'"),
        (packed(5), dt.datetime, "5 (int)"),
        (packed("tomorrow"), dt.date, "'tomorrow'"),
        (packed(float("inf")), dt.timedelta, "inf"),
        (packed("1"), dt.timedelta, "'1'"),
        (packed(0), type(None), "0 (int)"),
        (packed({"x": 1}), list[int], "{'x': 1}"),
        (packed([1]), dict[str, int], "[1]"),
        (packed([1]), dict, "[1]"),
        (packed([1]), Point, "[1]"),
        (packed({"no number": 1}), dict[float, int], "'no number'"),
        (packed([1]), tuple[int, int], "[1]"),
        (packed(1), tuple[int, ...], "1 (int)"),
        (packed([[1]]), set[Any], "[[1]]"),
        (packed("x"), bytes, "'x'"),
        (packed(None), int | str, "None"),
        (packed({"x": 1}), Picky, "RuntimeError: never"),
        (packed({"field": 1}), Unresolved, "NoSuchName"),
        (NONE, int, "none_type"),
        (collection(), int, "collection"),
        (literals_pb2.Literal(), int, "holds nothing"),
        (primitive(), int, "holds nothing"),
        (primitive(integer=1), complex, "no rule"),
        (primitive(integer=1), "int", "not a type"),
        (primitive(integer=1), 5, "not a type"),
        (primitive(integer=1), [int], "not a type"),
        (primitive(integer=1), tuple[int], "another kind"),
        (primitive(string_value="red"), str | Color, "several"),
        (collection(), list[int] | list[str], "several"),
        (primitive(boolean=True), int | str, "another kind"),
        (literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"1": NONE})), dict[int, None], "another kind"),
        (wrapped(primitive(integer=7), tagged(types_pb2.INTEGER, "int")), str, "of type int"),
        (wrapped(primitive(integer=7), tagged(types_pb2.INTEGER, "int")), str | None, "tag 'int'"),
        (wrapped(primitive(integer=7), tagged(types_pb2.INTEGER, "str")), int | str, "tag 'str'"),
    ],
)
def test_says_what_does_not_fit(literal: literals_pb2.Literal, hint: Any, words: str) -> None:
    error = fails(literal, None, hint)
    assert words in str(error)
    assert error.kind
    assert error.expected


def test_parameters_that_cannot_be_hashed_are_no_obstacle() -> None:
    note = Annotated[int, {"not": "hashable"}]
    assert decode(packed({"a": [1]}), STRUCT, dict[str, list[note]]) == {"a": [1]}
    assert decode(packed({"item": 1}), STRUCT, Box[note]) == Box(1)
    assert decode(packed([[1]]), None, list[tuple[note, ...]]) == [(1,)]


def test_a_class_that_cannot_be_looked_up_is_named_alone() -> None:
    error = fails(packed({"field": 1}), STRUCT, Unresolved)
    assert error.path == ""
    assert error.expected == "Unresolved"


def test_the_choices_of_a_literal_hint_give_its_type() -> None:
    from typing import Literal as Choice

    assert decode(primitive(string_value="c"), STRING, Choice["a", "b"]) == "c"
    assert "one type" in str(fails(primitive(integer=1), INTEGER, Choice["a", 1]))


@pytest.mark.parametrize(
    ("literal", "hint", "path"),
    [
        (collection(primitive(integer=1), primitive(string_value="a")), list[int], "[1]"),
        (collection(collection(), collection(NONE)), list[list[int]], "[1][0]"),
        (literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"k": NONE})), dict[str, int], "['k']"),
        (collection(packed({"x": "no"})), list[Point], "[0].x"),
        (packed({"label": "a", "kids": [{"label": "b"}, {}]}), Tree, ".kids[1].label"),
        (packed({"a": [1, "b"]}), dict[str, list[int]], "['a'][1]"),
        (packed([1, "a"]), tuple[int, int], "[1]"),
        (collection(OFFLOADED), list[int], "[0]"),
    ],
)
def test_says_where_it_does_not_fit(literal: literals_pb2.Literal, hint: Any, path: str) -> None:
    assert fails(literal, None, hint).path == path


def test_a_missing_field_is_named() -> None:
    error = fails(packed({"y": 1.0}), STRUCT, Point)
    assert str(error.named("o0")) == "cannot decode o0.x: a binary literal as int: the field is missing"


_BLOB = literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri="s3://b/k")))
_SCHEMA = literals_pb2.Literal(scalar=literals_pb2.Scalar(schema=literals_pb2.Schema(uri="s3://b/k")))
_TABLE = literals_pb2.Literal(
    scalar=literals_pb2.Scalar(structured_dataset=literals_pb2.StructuredDataset(uri="s3://b/k"))
)
_ERROR = literals_pb2.Literal(scalar=literals_pb2.Scalar(error=types_pb2.Error(message="m")))


@pytest.mark.parametrize(
    ("literal", "kind"),
    [(_BLOB, "blob"), (_SCHEMA, "schema"), (_TABLE, "structured_dataset"), (_ERROR, "error"), (OFFLOADED, "offloaded")],
)
@pytest.mark.parametrize("declared", [INTEGER, INT_OR_STR])
def test_a_literal_of_another_kind_says_its_kind(literal: literals_pb2.Literal, kind: str, declared: Any) -> None:
    assert fails(literal, declared).kind == kind


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (_BLOB, FlyteFile("s3://b/k")),
        (_SCHEMA, StructuredDataset(None, "s3://b/k")),
        (_TABLE, StructuredDataset(None, "s3://b/k")),
        (_ERROR, FlyteError("m")),
    ],
)
def test_stored_values_need_no_type_to_be_named(literal: literals_pb2.Literal, value: Any) -> None:
    assert decode(literal) == value
    assert decode(collection(literal)) == [value]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (types_pb2.LiteralType(), "a type with nothing in it"),
        (types_pb2.LiteralType(simple=types_pb2.BINARY), "binary"),
        (types_pb2.LiteralType(simple=42), "simple type 42"),  # type: ignore[arg-type]
        (types_pb2.LiteralType(collection_type=types_pb2.LiteralType()), "list of a type with nothing in it"),
    ],
)
def test_a_type_without_a_rule_is_named(declared: types_pb2.LiteralType, words: str) -> None:
    assert words in str(fails(primitive(integer=1), declared))
    optional = union_of(declared, tagged(types_pb2.NONE, "none"))
    assert decode(wrapped(NONE, tagged(types_pb2.NONE, "none")), optional) is None


def test_an_enum_without_a_hint_is_its_string_and_has_to_be_a_member() -> None:
    declared = types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["", "mro"]))
    assert decode(primitive(string_value="mro"), declared) == "mro"
    assert "'red'" in str(fails(primitive(string_value="red"), declared))
    assert decode(wrapped(primitive(string_value=""), declared), union_of(declared), str) == ""


def test_the_stored_type_tells_two_variants_of_the_same_shape_apart() -> None:
    one, two = types_pb2.LiteralType(simple=types_pb2.STRUCT), types_pb2.LiteralType(simple=types_pb2.STRUCT)
    one.metadata.update({"title": "A", "properties": {"x": {"type": "integer"}}})
    two.metadata.update({"title": "B", "properties": {"x": {"type": "string"}}})
    declared = union_of(one, two)
    assert decode(wrapped(packed({"x": "1"}), two), declared) == {"x": "1"}
    assert fails(wrapped(packed({"x": "1"}), one), declared).path == ".x"
    assert "several" in str(fails(wrapped(packed({"x": 1}), STRUCT), declared, Point | Tree | dict))


def test_a_date_in_a_union_is_known_by_its_tag() -> None:
    stored = tagged(types_pb2.DATETIME, "date")
    declared = union_of(stored, tagged(types_pb2.NONE, "none"))
    literal = wrapped(primitive(datetime=timestamp_pb2.Timestamp(seconds=86400)), stored)
    assert decode(literal, declared) == dt.date(1970, 1, 2)


@pytest.mark.parametrize(("seconds", "nanos"), [(253402300800, 0), (-62135596801, 0), (0, -1), (0, 10**9)])
def test_a_time_that_python_cannot_hold_is_refused_alone(seconds: int, nanos: int) -> None:
    bad = primitive(datetime=timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos))
    assert "years 1 and 9999" in str(fails(bad, types_pb2.LiteralType(simple=types_pb2.DATETIME)))
    long = primitive(duration=duration_pb2.Duration(seconds=10**14))
    assert "more than a timedelta" in str(fails(long, types_pb2.LiteralType(simple=types_pb2.DURATION)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x81",
        b"\xdd\xff\xff\xff\xff",  # a list of four billion
        b"\xdf\xff\xff\xff\xff",  # a dict of four billion
        b"\xc6\xff\xff\xff\xff",  # four billion bytes
        b"\xd6\xff\x00\x00\x00\x00",  # an extension type
        b"\x91" * 5000 + b"\xc0",
        b"\xa1\xff",
        b"\x81\x90\xc0",  # a list as a key
        b"\xc0\xc0",
        b"\xc1",
    ],
)
def test_malformed_payloads_and_bombs_are_refused(payload: bytes) -> None:
    binary = literals_pb2.Binary(value=payload, tag="msgpack")
    error = fails(literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary)), STRUCT)
    assert error.kind == "binary"


def test_a_payload_of_another_format_is_refused() -> None:
    binary = literals_pb2.Binary(value=b"\xc0", tag="cbor")
    assert "'cbor'" in str(fails(literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary)), STRUCT))


def test_a_pickled_dict_is_never_loaded() -> None:
    literal = generic({"pickle_file": "s3://b/k"})
    literal.metadata["format"] = "pickle"
    assert "pickle" in str(fails(literal, STRUCT))


def test_values_a_thousand_deep_are_refused_or_read() -> None:
    # Spelt out, because msgpack before 1.2 packs no more than 511 levels.
    pack = msgpack.packb
    plain = b"\x81" + pack("a") + b"\x91" * 900 + pack([])
    assert decode(of_bytes(plain), STRUCT)["a"][0]
    node = b"\x82" + pack("label") + pack("node") + pack("kids") + b"\x91"
    tree = node * 450 + pack({"label": "leaf"})
    assert "nested too deeply" in str(fails(of_bytes(tree), STRUCT, Tree))


def test_bytes_that_are_no_literal_are_refused() -> None:
    assert "not a literal" in str(fails(Literal(b"\x00\xff"), INTEGER))
    nested = INTEGER
    for _ in range(90):
        nested = types_pb2.LiteralType(collection_type=nested)
    assert fails(primitive(integer=1), nested).expected.endswith("…")
