"""Classes as types: attrs, TypedDict, named tuples, generics, pydantic, protobuf, and types of one's own."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import uuid
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NotRequired, Required, TypedDict, TypeVar

import attrs
import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import struct_pb2

from flyte_remote_async.errors import DecodeError, EncodeError
from flyte_remote_async.literals import Context, FlyteError, FlyteFile, StructuredDataset, Types, decode, encode
from flyte_remote_async.models.literals import LiteralType
from tests.support import golden

if TYPE_CHECKING:
    from flyte_remote_async.models.literals import Literal

STRUCT = types_pb2.LiteralType(simple=types_pb2.STRUCT)
ERROR = types_pb2.LiteralType(simple=types_pb2.ERROR)
T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen
class Span:
    start: int
    _stop: int = 9
    unit: str = attrs.field(default="s", init=False)


class Movie(TypedDict):
    title: Required[str]
    year: NotRequired[int]


class Partial(TypedDict, total=False):
    title: str


class Pair(NamedTuple):
    left: int
    right: str = "r"


Untyped = collections.namedtuple("Untyped", ["a", "b"])  # noqa: PYI024 - such ones exist


@dataclasses.dataclass
class Box(Generic[T]):
    item: T
    items: list[T] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Two(Generic[T, U]):
    one: Box[T]
    other: U | None = None


@dataclasses.dataclass
class Dates(Box[dt.date]):
    label: str = ""


@dataclasses.dataclass
class Odds:
    price: decimal.Decimal = decimal.Decimal(0)
    id: uuid.UUID | None = None
    path: pathlib.PurePosixPath | None = None
    part: fractions.Fraction = fractions.Fraction(1, 3)
    host: ipaddress.IPv4Address | None = None
    at: dt.time = dt.time(1, 2, 3)
    queue: collections.deque[int] = dataclasses.field(default_factory=collections.deque)
    ordered: collections.OrderedDict[str, int] = dataclasses.field(default_factory=collections.OrderedDict)
    any_tuple: tuple = ()  # type: ignore[type-arg]


@dataclasses.dataclass
class Everything:
    span: Span
    movie: Movie
    pair: Pair
    untyped: Untyped
    box: Box[int]


def payload(literal: Literal) -> Any:
    return msgpack.unpackb(literal.to_flyte_idl().scalar.binary.value, strict_map_key=False)


def packed(value: Any) -> literals_pb2.Literal:
    binary = literals_pb2.Binary(value=msgpack.packb(value), tag="msgpack")
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))


@pytest.mark.parametrize(
    ("value", "hint", "plain"),
    [
        (Span(1, 2), Span, {"start": 1, "_stop": 2}),
        ({"title": "t", "year": 1}, Movie, {"title": "t", "year": 1}),
        ({"title": "t"}, Movie, {"title": "t"}),
        ({}, Partial, {}),
        (Box(1, [2]), Box[int], {"item": 1, "items": [2]}),
        (Box([Box(1)]), Box[list[Box[int]]], {"item": [{"item": 1, "items": []}], "items": []}),
        (Two(Box(1), "a"), Two[int, str], {"one": {"item": 1, "items": []}, "other": "a"}),
        (Two(Box(1)), Two[int, str], {"one": {"item": 1, "items": []}, "other": None}),
        (
            Dates(dt.date(2020, 1, 2), [], "l"),
            Dates,
            {"item": "2020-01-02", "items": [], "label": "l"},
        ),
        (Box(1), Box, {"item": 1, "items": []}),
        (
            Everything(Span(1), {"title": "t"}, Pair(1), Untyped(1, "b"), Box(3)),
            Everything,
            {
                "span": {"start": 1, "_stop": 9},
                "movie": {"title": "t"},
                "pair": [1, "r"],
                "untyped": [1, "b"],
                "box": {"item": 3, "items": []},
            },
        ),
        (
            Odds(
                id=uuid.UUID(int=0),
                path=pathlib.PurePosixPath("a"),
                host=ipaddress.IPv4Address("127.0.0.1"),
                queue=collections.deque([1]),
                ordered=collections.OrderedDict(a=1),
                any_tuple=(1, "a"),
            ),
            Odds,
            {
                "price": "0",
                "id": str(uuid.UUID(int=0)),
                "path": "a",
                "part": "1/3",
                "host": "127.0.0.1",
                "at": "01:02:03",
                "queue": [1],
                "ordered": {"a": 1},
                "any_tuple": [1, "a"],
            },
        ),
    ],
)
def test_records_are_written_and_read(value: Any, hint: Any, plain: dict[str, Any]) -> None:
    literal = encode(value, STRUCT, hint)
    assert payload(literal) == plain
    assert decode(literal, STRUCT, hint) == value


def test_a_record_of_a_class_needs_no_hint_to_be_written() -> None:
    declared = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    declared.structure.dataclass_type["start"].simple = types_pb2.INTEGER
    declared.structure.dataclass_type["_stop"].simple = types_pb2.INTEGER
    assert payload(encode(Span(1, 2), declared)) == {"start": 1, "_stop": 2}


@pytest.mark.parametrize(
    ("plain", "hint", "path", "words"),
    [
        ({"year": 1}, Movie, ".title", "missing"),
        ({"start": "1"}, Span, ".start", "'1'"),
        ({"item": 1.5}, Box[int], ".item", "1.5"),
        ({"one": {"item": "x"}}, Two[int, str], ".one.item", "'x'"),
        ({"pair": [1, 2]}, "pair", ".pair.right", "2 (int)"),
        ({"pair": []}, "pair", ".pair", "[]"),
        ({"pair": [1, "a", 2]}, "pair", ".pair", "2]"),
        ({"at": "25:00"}, Odds, ".at", "25:00"),
        ({"at": 5}, Odds, ".at", "5"),
        ({"price": "x"}, Odds, ".price", "'x'"),
        ({"price": 1.5}, Odds, ".price", "1.5"),
        ({"id": "x"}, Odds, ".id", "'x'"),
        ({"host": "x"}, Odds, ".host", "'x'"),
        ({"part": "1/0"}, Odds, ".part", "'1/0'"),
    ],
)
def test_says_where_a_record_does_not_fit(plain: Any, hint: Any, path: str, words: str) -> None:
    @dataclasses.dataclass
    class WithPair:
        pair: Any

    WithPair.__annotations__["pair"] = Pair
    with pytest.raises(DecodeError) as caught:
        decode(packed(plain), STRUCT, WithPair if hint == "pair" else hint)
    assert caught.value.path == path
    assert words in str(caught.value)


def test_a_named_tuple_may_come_as_a_dict() -> None:
    assert decode(packed({"p": {"left": 1}}), STRUCT, dict[str, Pair]) == {"p": Pair(1)}


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Pair(1), Pair),
        ((1, 2), Span),
        ({"title": "t", "more": 1}, Movie),
        ({"year": 1}, Movie),
        (Odds(price=1), Odds),  # type: ignore[arg-type]
        (Odds(at="1"), Odds),  # type: ignore[arg-type]
        ({"p": (1, "a")}, dict[str, Pair]),
    ],
)
def test_refuses_what_is_no_record(value: Any, hint: Any) -> None:
    with pytest.raises(EncodeError):
        encode(value, STRUCT, hint)


# --- pydantic ---------------------------------------------------------------------------------------------------------


def models() -> Any:
    pydantic = pytest.importorskip("pydantic")
    model: Any = pydantic.create_model(
        "Model",
        n=(int, ...),
        file=(FlyteFile | None, None),
        table=(StructuredDataset | None, None),
        took=(dt.timedelta, dt.timedelta(0)),
    )
    return model


def test_a_model_is_read_from_all_its_forms() -> None:
    model = models()
    struct = struct_pb2.Struct()
    struct.update({"n": 1})
    generic = literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=struct))
    old = literals_pb2.Literal(
        map=literals_pb2.LiteralMap(literals={"BaseModel JSON": generic, "Serialized Flyte Objects": collection()})
    )
    for literal in (packed({"n": 1, "unknown": 2}), generic, old):
        assert decode(literal, STRUCT, model) == model(n=1)
    assert decode(packed({"n": 1, "took": "PT1M30S"}), STRUCT, model).took == dt.timedelta(seconds=90)
    with pytest.raises(DecodeError, match="n\n"):
        decode(packed({"n": "x"}), STRUCT, model)
    with pytest.raises(DecodeError, match=r"got \[1\]"):
        decode(packed([1]), STRUCT, model)


def collection(*literals: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=literals))


def test_a_model_may_have_files_and_tables() -> None:
    model = models()
    value = model(n=1, file=FlyteFile("s3://b/k", metadata={"a": "b"}), table=StructuredDataset(None, "s3://b/t"))
    literal = encode(value, STRUCT, model)
    assert payload(literal)["file"] == {"path": "s3://b/k", "metadata": {"a": "b"}}
    assert payload(literal)["table"] == {"uri": "s3://b/t", "file_format": ""}
    assert decode(literal, STRUCT, model) == value
    assert model(n=1, file="a/path").file == FlyteFile("a/path")
    with pytest.raises(EncodeError, match="has to be stored first"):
        encode(model(n=1, file="a/path"), STRUCT, model)
    with pytest.raises(ValueError, match="file"):
        model(n=1, file=5)
    assert encode({"n": 1}, STRUCT, model) == encode(model(n=1), STRUCT, model)
    for wrong in ({"n": "x"}, 5):
        with pytest.raises(EncodeError):
            encode(wrong, STRUCT, model)


def test_a_model_needs_no_hint_to_be_written() -> None:
    model = models()
    declared = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    declared.metadata.update({"title": "Model", "properties": {"n": {"type": "integer"}, "took": {"type": "string"}}})
    with pytest.raises(EncodeError, match="unknown: file, table"):
        encode(model(n=1), declared)
    properties = {"n": {"type": "integer"}, "took": {"type": "string"}, "file": {}, "table": {}}
    declared.metadata.update({"properties": properties})
    assert payload(encode(model(n=1), declared)) == {"n": 1, "file": None, "table": None, "took": "PT0S"}


# --- protobuf, errors, hashes -----------------------------------------------------------------------------------------


def test_messages_are_their_json_form() -> None:
    blob = types_pb2.BlobType(format="csv", dimensionality=types_pb2.BlobType.MULTIPART)
    literal = encode(blob, STRUCT, types_pb2.BlobType)
    assert dict(literal.to_flyte_idl().scalar.generic) == {"format": "csv", "dimensionality": "MULTIPART"}
    assert decode(literal, STRUCT, types_pb2.BlobType) == blob
    assert decode(literal, STRUCT) == {"format": "csv", "dimensionality": "MULTIPART"}
    # A class that is loaded already is known by its name; none is ever imported by one.
    named = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    named.metadata.update({"pb_type": "flyteidl.core.types_pb2.BlobType"})
    assert decode(literal, named) == blob
    module = "flyteidl.core.types_pb2"
    for name in ("no.such.module.Blob", "json.decoder.JSONDecoder", "os.getcwd", "nodots", f"{module}.Nope"):
        named.metadata.update({"pb_type": name})
        assert decode(literal, named) == {"format": "csv", "dimensionality": "MULTIPART"}
    listed = struct_pb2.ListValue()
    listed.extend([1, "a"])
    one = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(float_value=1)))
    assert decode(collection(one), STRUCT, struct_pb2.ListValue) == struct_pb2.ListValue(
        values=[struct_pb2.Value(number_value=1)]
    )
    with pytest.raises(EncodeError, match="no object"):
        encode(listed, STRUCT, struct_pb2.ListValue)
    with pytest.raises(EncodeError, match="got"):
        encode(listed, STRUCT, types_pb2.BlobType)
    with pytest.raises(DecodeError, match="no field named"):
        decode(packed({"nope": 1}), STRUCT, types_pb2.BlobType)


def test_an_error_is_a_value() -> None:
    value = FlyteError("it broke", "n0")
    literal = encode(value, ERROR)
    assert decode(literal, ERROR) == decode(literal, ERROR, FlyteError) == decode(literal) == value
    assert literal.to_flyte_idl().scalar.error.failed_node_id == "n0"
    with pytest.raises(EncodeError):
        encode(RuntimeError("it broke"), ERROR)
    with pytest.raises(DecodeError, match="an error literal as str"):
        decode(literal, ERROR, str)


def test_a_hash_method_notes_the_hash() -> None:
    from typing import Annotated

    method = golden.HashMethod(lambda value: f"H{len(value)}")
    declared = types_pb2.LiteralType(collection_type=types_pb2.LiteralType(simple=types_pb2.STRING))
    hint = Annotated[list[str], "a note", method]
    literal = encode(["a", "b"], declared, hint)
    assert literal.hash == "H2"
    assert decode(literal, declared, hint) == ["a", "b"]
    inner = encode(["ab"], declared, list[Annotated[str, method]]).to_flyte_idl()
    assert inner.collection.literals[0].hash == "H2"
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[declared]))
    assert encode(["a"], union, hint).to_flyte_idl().scalar.union.value.hash == "H1"
    assert payload(encode({"a": ["b"]}, STRUCT, dict[str, hint])) == {"a": ["b"]}


# --- types of one's own -----------------------------------------------------------------------------------------------


@attrs.frozen
class Celsius:
    degrees: float


class Kelvin(Celsius):
    pass


FLOAT = types_pb2.LiteralType(simple=types_pb2.FLOAT)


def _to_literal(value: Celsius) -> literals_pb2.Literal:
    if value.degrees < -273.15:
        raise ValueError("colder than cold")
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(float_value=value.degrees)))


def _from_literal(literal: Literal) -> Celsius:
    primitive = literal.to_flyte_idl().scalar.primitive
    if primitive.WhichOneof("value") != "float_value":
        raise ValueError("no temperature")
    return Celsius(primitive.float_value)


TYPES = Types().with_type(
    Celsius, tag="CelsiusTransformer", literal_type=FLOAT, to_literal=_to_literal, from_literal=_from_literal
)
CONTEXT = Context(types=TYPES)


def test_a_type_of_ones_own_has_its_form_and_its_tag() -> None:
    literal = encode(Celsius(1.5), FLOAT, Celsius, CONTEXT)
    assert literal.to_flyte_idl().scalar.primitive.float_value == 1.5
    assert decode(literal, FLOAT, Celsius, CONTEXT) == Celsius(1.5)
    assert decode(literal, FLOAT, None, CONTEXT) == 1.5
    listed = types_pb2.LiteralType(collection_type=FLOAT)
    several = encode([Celsius(1.0)], listed, list[Celsius], CONTEXT)
    assert decode(several, listed, list[Celsius], CONTEXT) == [Celsius(1.0)]
    tagged = types_pb2.LiteralType(simple=types_pb2.FLOAT, structure=types_pb2.TypeStructure(tag="CelsiusTransformer"))
    none = types_pb2.LiteralType(simple=types_pb2.NONE, structure=types_pb2.TypeStructure(tag="none"))
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[tagged, none]))
    stored = encode(Celsius(2.0), union, None, CONTEXT)
    assert stored.to_flyte_idl().scalar.union.type.structure.tag == "CelsiusTransformer"
    assert decode(stored, union, None, CONTEXT) == decode(stored, union, Celsius | None, CONTEXT) == Celsius(2.0)


def test_a_type_of_ones_own_is_known_by_what_it_declares() -> None:
    blob = types_pb2.LiteralType(blob=types_pb2.BlobType(format="Celsius"))
    types = Types().with_type(
        Celsius,
        tag="C",
        literal_type=LiteralType.from_flyte_idl(blob),
        to_literal=_to_literal,
        from_literal=lambda literal: Celsius(float(len(literal.uri or ""))),
    )
    literal = literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri="abc")))
    assert decode(literal, blob, None, Context(types=types)) == Celsius(3.0)
    assert isinstance(decode(literal, types_pb2.LiteralType(blob=types_pb2.BlobType()), None, CONTEXT), FlyteFile)


def test_subclasses_are_of_the_type_unless_they_have_one() -> None:
    assert TYPES.of_hint(Kelvin) is TYPES.of_hint(Celsius)
    more = TYPES.with_type(Kelvin, tag="K", literal_type=FLOAT, to_literal=_to_literal, from_literal=_from_literal)
    assert more.of_hint(Kelvin) is not more.of_hint(Celsius)
    assert (len(TYPES), len(more), len(Types())) == (1, 2, 0)
    again = more.with_type(Kelvin, tag="K2", literal_type=FLOAT, to_literal=_to_literal, from_literal=_from_literal)
    assert [one.tag for one in again] == ["CelsiusTransformer", "K2"]
    assert repr(again) == "Types(Celsius, Kelvin)"
    assert TYPES.of_hint(5) is TYPES.of_hint(int) is None


@pytest.mark.parametrize("value", [Celsius(-300.0), 5, "x"])
def test_what_does_not_fit_a_type_of_ones_own_is_refused(value: Any) -> None:
    with pytest.raises(EncodeError, match="Celsius"):
        encode(value, FLOAT, Celsius, CONTEXT)
    with pytest.raises(DecodeError, match="no temperature"):
        decode(literals_pb2.Literal(), FLOAT, Celsius, CONTEXT)
    to_literal: Any = lambda _: 5  # noqa: E731 - one that is wrong
    wrong = Types().with_type(Celsius, tag="", literal_type=FLOAT, to_literal=to_literal, from_literal=_from_literal)
    with pytest.raises(EncodeError, match="gave a int"):
        encode(Celsius(1.0), FLOAT, Celsius, Context(types=wrong))


# --- which variant of a union a class is ------------------------------------------------------------------------------


@dataclasses.dataclass
class Left:
    x: int


@dataclasses.dataclass
class Right:
    x: int


def titled(title: str, *required: str) -> types_pb2.LiteralType:
    declared = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    declared.metadata.update({"title": title, "required": list(required)})
    declared.structure.dataclass_type["x"].simple = types_pb2.INTEGER
    declared.structure.dataclass_type["y"].simple = types_pb2.INTEGER
    declared.structure.tag = "Object-Dataclass-Transformer"
    return declared


def test_classes_of_one_shape_are_told_apart_by_name() -> None:
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[titled("Left"), titled("Right")]))
    for value in (Left(1), Right(1)):
        literal = encode(value, union, Left | Right)
        assert literal.to_flyte_idl().scalar.union.type.metadata["title"] == type(value).__name__
        assert decode(literal, union, Left | Right) == value
        assert decode(literal, union, type(value)) == value


def test_files_of_several_formats_are_told_apart() -> None:
    variants = [types_pb2.LiteralType(blob=types_pb2.BlobType(format=one)) for one in ("csv", "txt")]
    for one in variants:
        one.structure.tag = "FlyteFilePath"
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants))
    csv, txt = FlyteFile.of_format("csv"), FlyteFile.of_format("txt")
    literal = encode(FlyteFile("s3://b/k"), union, txt)
    assert literal.to_flyte_idl().scalar.union.type.blob.format == "txt"
    assert decode(literal, union).format == "txt"
    assert decode(literal, union, csv | txt).format == "txt"


def test_without_a_class_the_required_fields_have_to_be_there() -> None:
    with pytest.raises(DecodeError, match=r"value\.x: a binary literal as int: the field is missing"):
        decode(packed({"z": 1}), titled("Left", "x"))
    assert decode(packed({"x": 1}), titled("Left", "x", "unknown")) == {"x": 1}
    schema = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    node: Any = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x", 5]}
    schema.metadata.update(
        {"properties": {"n": node, "m": {"type": "object", "properties": {"a": {}}, "required": "a"}}}
    )
    assert decode(packed({"n": {"x": 1}, "m": {}}), schema) == {"n": {"x": 1}, "m": {}}
    with pytest.raises(DecodeError) as caught:
        decode(packed({"n": {}}), schema)
    assert caught.value.path == ".n.x"
