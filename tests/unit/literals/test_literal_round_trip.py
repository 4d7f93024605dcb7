"""What is encoded under a type is decoded from it, for generated types and values."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal  # noqa: TC003 - annotations are read when the test runs
import enum
import uuid  # noqa: TC003 - likewise
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import attrs
import pytest
from flyteidl.core import literals_pb2, types_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.literals import FlyteDirectory, FlyteFile, StructuredDataset, decode, encode

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Point:
    x: int
    y: float


@dataclasses.dataclass
class Everything:
    i: int
    f: float
    s: str
    b: bool
    raw: bytes
    color: Color
    level: Level
    at: dt.datetime
    on: dt.date
    took: dt.timedelta
    point: Point
    points: list[Point]
    by_name: dict[str, Point]
    by_number: dict[int, list[int | None]]
    pair: tuple[int, str]
    words: frozenset[str]
    either: int | str
    maybe: Point | None = None
    anything: Any = None


STRUCT = types_pb2.LiteralType(simple=types_pb2.STRUCT)
_SIMPLE: list[tuple[types_pb2.SimpleType, str, st.SearchStrategy[Any]]] = [
    (types_pb2.INTEGER, "int", st.integers(-(2**63), 2**63 - 1)),
    (types_pb2.FLOAT, "float", st.floats(allow_nan=False)),
    (types_pb2.STRING, "str", st.text()),
    (types_pb2.BOOLEAN, "bool", st.booleans()),
    (types_pb2.DATETIME, "datetime", st.datetimes(timezones=st.just(dt.UTC))),
    (types_pb2.DURATION, "timedelta", st.timedeltas()),
    (types_pb2.NONE, "none", st.none()),
]
Typed = tuple[types_pb2.LiteralType, st.SearchStrategy[Any]]


def _simple(index: int) -> Typed:
    number, _, values = _SIMPLE[index]
    return types_pb2.LiteralType(simple=number), values


def _list(inner: Typed) -> Typed:
    return types_pb2.LiteralType(collection_type=inner[0]), st.lists(inner[1], max_size=4)


def _map(inner: Typed) -> Typed:
    return types_pb2.LiteralType(map_value_type=inner[0]), st.dictionaries(st.text(), inner[1], max_size=4)


def _union(indexes: set[int]) -> Typed:
    variants, values = [], []
    for index in sorted(indexes):
        number, tag, strategy = _SIMPLE[index]
        structure = types_pb2.TypeStructure(tag=tag)
        variants.append(types_pb2.LiteralType(simple=number, structure=structure))
        values.append(strategy)
    return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants)), st.one_of(values)


_ENUM: Typed = (
    types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["red", "green"])),
    st.sampled_from(["red", "green"]),
)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3),
    max_leaves=8,
)
_leaves = st.one_of(
    st.integers(0, len(_SIMPLE) - 1).map(_simple),
    st.sets(st.integers(0, len(_SIMPLE) - 1), min_size=2).map(_union),
    st.just(_ENUM),
    st.just((STRUCT, st.dictionaries(st.text(), _PLAIN, max_size=3))),
)
_types = st.recursive(_leaves, lambda inner: inner.map(_list) | inner.map(_map), max_leaves=4)


def _exactly(value: Any) -> Any:
    """Return a form in which 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {(type(key), key): _exactly(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exactly(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {one.name: _exactly(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return (type(value), value.hex() if isinstance(value, float) else value)


@given(st.data())
def test_a_value_comes_back_from_its_type(data: st.DataObject) -> None:
    declared, values = data.draw(_types)
    value = data.draw(values)
    literal = encode(value, declared)
    assert _exactly(decode(literal, declared)) == _exactly(value)
    # The literal alone says it too.
    assert _exactly(decode(literal)) == _exactly(value)


_seconds = st.integers(-(10**9), 10**9).map(lambda micros: dt.timedelta(microseconds=micros))
_points = st.builds(Point, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
_everything = st.builds(
    Everything,
    i=st.integers(-(2**63), 2**64 - 1),
    f=st.floats(allow_nan=False),
    s=st.text(),
    b=st.booleans(),
    raw=st.binary(),
    color=st.sampled_from(Color),
    level=st.sampled_from(Level),
    at=st.datetimes() | st.datetimes(timezones=st.just(dt.timezone(dt.timedelta(hours=5, minutes=30)))),
    on=st.dates(),
    took=_seconds,
    point=_points,
    points=st.lists(_points, max_size=2),
    by_name=st.dictionaries(st.text(), _points, max_size=2),
    by_number=st.dictionaries(st.integers(0, 9), st.lists(st.none() | st.integers(0, 9), max_size=2), max_size=2),
    pair=st.tuples(st.integers(0, 9), st.text()),
    words=st.frozensets(st.text(), max_size=2),
    either=st.integers(0, 9) | st.text(),
    maybe=st.none() | _points,
    anything=_PLAIN,
)


@given(_everything)
def test_a_dataclass_comes_back_from_msgpack(value: Everything) -> None:
    literal = encode(value, STRUCT, Everything)
    assert _exactly(decode(literal, STRUCT, Everything)) == _exactly(value)


@given(st.dictionaries(st.integers(-9, 9), _points, max_size=3))
def test_keys_keep_their_type_in_a_payload(value: dict[int, Point]) -> None:
    literal = encode(value, STRUCT, dict[int, Point])
    assert decode(literal, STRUCT, dict[int, Point]) == value
    assert set(decode(literal, STRUCT)) == set(value)


@given(st.binary() | st.binary().map(lambda raw: b"\x81\xa1a" + raw), st.sampled_from(["msgpack", "", "cbor"]))
def test_any_payload_gives_a_value_or_a_typed_error(payload: bytes, tag: str) -> None:
    binary = literals_pb2.Binary(value=payload, tag=tag)
    literal = literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))
    for hint in (None, int, list[int], dict[str, Point], Everything, Color, int | None):
        try:
            decode(literal, STRUCT, hint)
        except (TypeError, ValueError) as error:
            assert type(error).__name__ == "DecodeError"  # noqa: PT017 - any of two outcomes is right


@pytest.mark.parametrize("value", [dt.datetime.fromisoformat("2020-01-01T00:00"), dt.date(2020, 1, 1)])
def test_naive_times_are_utc(value: dt.date) -> None:
    declared = types_pb2.LiteralType(simple=types_pb2.DATETIME)
    literal = encode(value, declared)
    assert decode(literal, declared) == dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert decode(literal, declared, dt.date) == dt.date(2020, 1, 1)


# --- other classes ----------------------------------------------------------------------------------------------------


@attrs.frozen
class Span:
    start: int
    stop: int | None = None


class Movie(TypedDict):
    title: str
    tags: list[str]


class Pair(NamedTuple):
    left: int
    right: str


@dataclasses.dataclass
class Box(Generic[T]):
    item: T
    others: list[T]


@dataclasses.dataclass
class Shelf:
    span: Span
    movie: Movie
    pair: Pair
    box: Box[Pair]
    file: FlyteFile
    folder: FlyteDirectory
    table: StructuredDataset
    price: decimal.Decimal
    id: uuid.UUID
    at: dt.time


_uris = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(lambda key: f"s3://b/{key}")
_spans = st.builds(Span, st.integers(-(2**63), 2**64 - 1), st.none() | st.integers(0, 9))
_pairs = st.builds(Pair, st.integers(0, 9), st.text())
_files = st.builds(FlyteFile, _uris, metadata=st.dictionaries(st.text(), st.text(), max_size=2))
_tables = st.builds(
    lambda uri, form: StructuredDataset(None, uri, file_format=form), _uris, st.sampled_from(["", "csv"])
)
_shelves = st.builds(
    Shelf,
    span=_spans,
    movie=st.builds(lambda title, tags: {"title": title, "tags": tags}, st.text(), st.lists(st.text(), max_size=2)),
    pair=_pairs,
    box=st.builds(Box, _pairs, st.lists(_pairs, max_size=2)),
    file=_files,
    folder=st.builds(FlyteDirectory, _uris),
    table=_tables,
    price=st.decimals(allow_nan=False),
    id=st.uuids(),
    at=st.times(),
)


@given(_shelves)
def test_classes_of_all_kinds_come_back(value: Shelf) -> None:
    assert decode(encode(value, STRUCT, Shelf), STRUCT, Shelf) == value


@given(st.dictionaries(st.text(), _spans | st.none(), max_size=3))
def test_records_come_back_out_of_dicts(value: dict[str, Span | None]) -> None:
    hint = dict[str, Span | None]
    assert decode(encode(value, STRUCT, hint), STRUCT, hint) == value


@given(st.data())
def test_handles_come_back_from_their_types(data: st.DataObject) -> None:
    blob = types_pb2.LiteralType(blob=types_pb2.BlobType(format="csv"))
    table = types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType())
    file = data.draw(_files)
    dataset = data.draw(_tables)
    decoded = decode(encode(file, blob), blob)
    assert (decoded.uri, decoded.format, decoded.metadata) == (file.uri, "csv", file.metadata)
    assert decode(encode(dataset, table), table) == dataset
    several = types_pb2.LiteralType(collection_type=table)
    assert decode(encode([dataset], several), several) == [dataset]


@given(st.data())
def test_pydantic_models_come_back(data: st.DataObject) -> None:
    pydantic = pytest.importorskip("pydantic")
    times = {"at": (dt.datetime, ...), "took": (dt.timedelta, ...)}
    model: Any = pydantic.create_model(
        "Model", n=(int, ...), x=(float, ...), s=(str, ...), file=(FlyteFile, ...), **times
    )
    value = model(
        n=data.draw(st.integers(-(2**63), 2**63 - 1)),
        x=data.draw(st.floats(allow_nan=False, allow_infinity=False)),
        s=data.draw(st.text()),
        at=data.draw(st.datetimes(timezones=st.just(dt.UTC))),
        took=data.draw(_seconds),
        file=data.draw(_files),
    )
    assert decode(encode(value, STRUCT, model), STRUCT, model) == value


@given(st.lists(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)))
def test_numbers_of_a_float_list_are_floats(values: list[float]) -> None:
    declared = types_pb2.LiteralType(collection_type=types_pb2.LiteralType(simple=types_pb2.FLOAT))
    found = decode(encode(values, declared), declared)
    assert found == values
    assert all(type(one) is float for one in found)
