"""Long literals are read from their bytes: the same values, and the same errors, as by way of messages."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals import bulk, chunks, convert, decode, encode, wire
from flyte_remote_async.models import pieces
from flyte_remote_async.models.literals import Literal, LiteralType
from flyte_remote_async.models.wire import header

if TYPE_CHECKING:
    from collections.abc import Iterator

Type, L = types_pb2.LiteralType, literals_pb2
INT, FLOAT, STR, BOOL, STRUCT, NONE, DATETIME = (
    Type(simple=simple)
    for simple in (
        types_pb2.SimpleType.INTEGER,
        types_pb2.SimpleType.FLOAT,
        types_pb2.SimpleType.STRING,
        types_pb2.SimpleType.BOOLEAN,
        types_pb2.SimpleType.STRUCT,
        types_pb2.SimpleType.NONE,
        types_pb2.SimpleType.DATETIME,
    )
)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@dataclass
class Point:
    x: int
    y: float
    names: list[str]
    notes: dict[str, int]
    more: int | None = None


def lists(of: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return Type(collection_type=of)


def maps(of: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return Type(map_value_type=of)


def optional(of: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return Type(union_type=types_pb2.UnionType(variants=[of, NONE]))


def primitive(**fields: Any) -> literals_pb2.Literal:
    return L.Literal(scalar=L.Scalar(primitive=L.Primitive(**fields)))


def packed(value: Any, tag: str = "msgpack") -> literals_pb2.Literal:
    return L.Literal(scalar=L.Scalar(binary=L.Binary(value=msgpack.packb(value), tag=tag)))


def collection(*elements: literals_pb2.Literal) -> literals_pb2.Literal:
    return L.Literal(collection=L.LiteralCollection(literals=elements))


def outcome(literal: Literal | literals_pb2.Literal, declared: types_pb2.LiteralType | None, hint: Any = None) -> Any:
    """Return the value, or what the error says and where."""
    try:
        return decode(literal, declared, hint)
    except DecodeError as error:
        return "failed", error.path, error.expected, error.reason


@pytest.fixture(params=[1, 200])
def piece(request: pytest.FixtureRequest) -> Iterator[int]:
    """Make short literals long, and pieces small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "_SHORT", 0)
        patch.setattr(chunks, "_BRIEF", request.param)
        patch.setattr(wire, "_PIECE", request.param)
        for module in (pieces, chunks):
            patch.setattr(module, "PIECE", request.param)
        yield request.param


POINTS = st.builds(
    Point, INT64, st.floats(allow_nan=False), st.lists(TEXT), st.dictionaries(TEXT, INT64), st.none() | INT64
)

SHAPES: list[tuple[types_pb2.LiteralType, Any, st.SearchStrategy[Any]]] = [
    (lists(INT), None, st.lists(INT64)),
    (lists(FLOAT), None, st.lists(st.floats(allow_nan=False))),
    (lists(BOOL), list[bool], st.lists(st.booleans())),
    (lists(STR), None, st.lists(TEXT)),
    (lists(lists(STR)), None, st.lists(st.lists(TEXT))),
    (lists(maps(INT)), None, st.lists(st.dictionaries(TEXT, INT64))),
    (lists(optional(INT)), None, st.lists(st.none() | INT64)),
    (optional(lists(INT)), None, st.none() | st.lists(INT64)),
    (maps(FLOAT), None, st.dictionaries(TEXT, st.floats(allow_nan=False))),
    (maps(INT), None, st.dictionaries(TEXT, INT64)),
    (maps(BOOL), None, st.dictionaries(TEXT, st.booleans())),
    (maps(lists(STR)), None, st.dictionaries(TEXT, st.lists(TEXT))),
    (STR, None, TEXT),
    (optional(STR), None, st.none() | TEXT),
    (lists(STRUCT), list[Point], st.lists(POINTS)),
    (STRUCT, Point, POINTS),
    (maps(STRUCT), dict[str, Point], st.dictionaries(TEXT, POINTS)),
    (lists(DATETIME), None, st.lists(st.datetimes(timezones=st.just(dt.UTC)))),
]


@pytest.mark.parametrize(("declared", "hint", "values"), SHAPES)
def test_values_come_back(piece: int, declared: Any, hint: Any, values: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=40)
    @given(values)
    def check(value: Any) -> None:
        literal = encode(value, declared, hint)
        assert outcome(literal, declared, hint) == value
        # What no type is known of is read by the same ways.
        assert outcome(literal, None) == outcome(literal.to_flyte_idl(), None)

    check()


ELEMENTS = st.one_of(
    st.builds(lambda value: primitive(integer=value), INT64),
    st.builds(lambda value: primitive(float_value=value), st.floats(allow_nan=False)),
    st.builds(lambda value: primitive(string_value=value), TEXT | st.text("é", min_size=100, max_size=300)),
    st.builds(packed, st.none() | INT64 | TEXT | st.lists(INT64)),
    st.builds(lambda value: packed(value, "json"), INT64),
    st.just(L.Literal()),
    st.just(L.Literal(scalar=L.Scalar())),
    st.just(L.Literal(scalar=L.Scalar(none_type=L.Void()))),
    st.just(L.Literal(scalar=L.Scalar(primitive=L.Primitive(integer=1)), hash="h", metadata={"a": "b"})),
)


@pytest.mark.parametrize("declared", [lists(INT), lists(FLOAT), lists(STR), lists(STRUCT), lists(lists(INT)), None])
def test_odd_elements_are_read_and_refused_as_ever(piece: int, declared: Any) -> None:
    @settings(max_examples=40)
    @given(st.lists(ELEMENTS))
    def check(elements: list[literals_pb2.Literal]) -> None:
        message = collection(*elements)
        assert outcome(Literal.from_flyte_idl(message), declared) == outcome(message, declared)

    check()


@pytest.mark.parametrize("declared", [maps(INT), maps(FLOAT), maps(STR), None])
def test_odd_entries_are_read_and_refused_as_ever(piece: int, declared: Any) -> None:
    @settings(max_examples=40)
    @given(st.dictionaries(TEXT | st.text("k", min_size=120, max_size=140), ELEMENTS, max_size=3))
    def check(entries: dict[str, literals_pb2.Literal]) -> None:
        message = L.Literal(map=L.LiteralMap(literals=entries))
        mine, theirs = (outcome(one, declared) for one in (Literal.from_flyte_idl(message), message))
        if isinstance(theirs, dict) or len(entries) <= 1:
            assert mine == theirs
        else:  # which of several wrong entries comes first is protobuf's affair
            assert mine[0] == "failed"

    check()


@pytest.mark.parametrize("declared", [lists(INT), lists(STR), lists(STRUCT), maps(FLOAT), STR, STRUCT, None])
def test_damaged_bytes_are_read_or_refused_as_protobuf_does(piece: int, declared: Any) -> None:
    whole = [
        collection(*(primitive(integer=value) for value in (1, -5, 2**40))),
        collection(primitive(string_value="abc"), primitive(string_value="é")),
        collection(packed({"x": 1}), packed([1, 2])),
        L.Literal(map=L.LiteralMap(literals={"a": primitive(float_value=1.5), "b": primitive(float_value=2)})),
        primitive(string_value="text " * 10),
        packed({"x": [1, 2, "3"]}),
    ]

    @settings(max_examples=40)
    @given(st.sampled_from([one.SerializeToString() for one in whole]), st.data())
    def check(data: bytes, draw: st.DataObject) -> None:
        changed = bytearray(data)
        changed[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
        cut = bytes(changed[: draw.draw(st.integers(1, len(data)))])
        mine = outcome(Literal(cut), declared)
        try:
            message = L.Literal.FromString(cut)
        except ProtobufDecodeError:
            assert mine[0] == "failed"
        else:
            theirs = outcome(message, declared)
            assert mine == theirs or (mine != mine) or mine[:2] == theirs[:2] == ("failed", mine[1])  # noqa: PLR0124

    check()


# --- the form that counts as ordinary --------------------------------------------------------------------------------

DOUBLED = b"\n\x04\x08\x01\x08\x02"
EMPTY = b"\n\x04\n\x02\n\x00"


def raw(*elements: bytes) -> bytes:
    return b"".join(header(1, len(one)) + one for one in elements)


def test_one_element_with_two_numbers_does_not_make_up_for_one_with_none() -> None:
    scalar = b"\x08\x01\x08\x02"
    doubled = header(1, 2 + len(header(1, len(scalar))) + len(scalar) - 2) + header(1, len(scalar)) + scalar
    data = raw(doubled, EMPTY)
    assert len(L.LiteralCollection.FromString(data).literals) == 2
    assert bulk.numbers("integer", data) is None
    assert bulk.numbers("integer", raw(*[primitive(integer=5).SerializeToString()] * 2)) == [5, 5]


def test_texts_and_payloads_of_any_length() -> None:
    sizes = [0, 1, 117, 118, 119, 120, 121, 122, 123, 124, 127, 128, 129, 16_370, 16_384, 16_390]
    for size in sizes:
        texts = ["x" * size, "y"]
        assert bulk.texts(raw(*(primitive(string_value=one).SerializeToString() for one in texts))) == texts
        loads = [b"x" * size, b"y"]
        literals = (L.Literal(scalar=L.Scalar(binary=L.Binary(value=one, tag="msgpack"))) for one in loads)
        found = bulk.payloads(raw(*(one.SerializeToString() for one in literals)))
        assert found == (loads if size else None)  # an empty payload is not written at all


def test_text_that_is_no_utf_8_is_refused() -> None:
    for size in (10, 300):
        text = primitive(string_value="x" * size).SerializeToString()[:-1] + b"\xff"
        assert bulk.texts(raw(text)) is None
        with pytest.raises(DecodeError, match="the bytes are not a literal"):
            decode(Literal(header(2, len(raw(text)) * 9) + raw(text) * 9), lists(STR))


def test_keys_that_are_no_utf_8_are_refused() -> None:
    for value in (primitive(float_value=1), primitive(integer=1)):
        data = L.LiteralMap(literals={"key": value}).SerializeToString().replace(b"key", b"ke\xff")
        assert bulk.entries(data) is None
        assert bulk.number_entries("float_value", data) is None


def test_entries_without_a_key_or_a_value() -> None:
    for entry in (
        b"",
        b"\n\x01k",
        b"\x12\x00",
        b"\x12\x00\n\x01k",
        b"\n\x01k\x12\x00\x18\x01",
        b"\n\x01k\x12\x00\n\x01j",
    ):
        assert bulk.entries(raw(entry)) is None
    assert bulk.entries(raw(b"\n\x01k\x12\x00")) == (["k"], b"\n\x00")


def test_the_last_of_equal_keys_counts() -> None:
    for field in ("float_value", "integer"):
        both = b"".join(L.LiteralMap(literals={"k": primitive(**{field: at})}).SerializeToString() for at in (1, 2))
        assert outcome(Literal(header(3, len(both)) + both), None) == {"k": 2}


# --- what is large ---------------------------------------------------------------------------------------------------


def test_large_values_of_each_kind() -> None:
    numbers = list(range(40_000))
    text = "Grüße aus dem Wald, " * 30_000
    points = [Point(at, at / 7, ["a", "b"], {"n": at}, None) for at in range(5000)]
    for value, declared, hint in (
        (numbers, lists(INT), None),
        ([numbers, numbers[:5]], lists(lists(INT)), None),
        ({"a": numbers, "b": []}, maps(lists(INT)), None),
        (text, STR, None),
        ([text, "short"], lists(STR), None),
        (text, optional(STR), None),
        (numbers, optional(lists(INT)), None),
        (points, lists(STRUCT), list[Point]),
        ({f"k{at}": at / 7 for at in range(20_000)}, maps(FLOAT), None),
    ):
        literal = encode(value, declared, hint)
        assert decode(literal, declared, hint) == value
        assert decode(Literal.from_string(literal.serialize_to_string()), declared, hint) == value


def test_a_large_payload_is_unpacked_in_pieces() -> None:
    value = {
        "points": [{"x": at, "name": "n" * 10} for at in range(20_000)],
        "blob": b"b" * 300_000,
        "text": "é" * 200_000,
    }
    literal = Literal.from_flyte_idl(packed(value))
    assert decode(literal, STRUCT, dict) == value
    assert decode(literal) == value
    assert decode(Literal.from_flyte_idl(packed([1.5] * 100_000)), lists(FLOAT)) == [1.5] * 100_000
    data = literal.to_flyte_idl().scalar.binary.value
    for damaged in (data[:-1], data + b"\x00", b"\xc1" + data):
        broken = L.Literal(scalar=L.Scalar(binary=L.Binary(value=damaged, tag="msgpack")))
        with pytest.raises(DecodeError, match="is not msgpack that can be read"):
            decode(Literal.from_flyte_idl(broken), STRUCT, dict)
    with pytest.raises(DecodeError, match="format 'json'"):
        decode(Literal.from_flyte_idl(packed(value, "json")), STRUCT, dict)


def test_an_error_far_inside_says_where() -> None:
    elements = [primitive(integer=at) for at in range(100_000)]
    elements[77_777] = primitive(string_value="no number")
    with pytest.raises(DecodeError) as caught:
        decode(Literal.from_flyte_idl(collection(*elements)), lists(INT))
    assert (caught.value.path, caught.value.kind) == ("[77777]", "string_value")
    nested = collection(collection(), collection(*elements))
    with pytest.raises(DecodeError) as caught:
        decode(Literal.from_flyte_idl(nested), lists(lists(INT)))
    assert caught.value.path == "[1][77777]"
    large = L.Literal(map=L.LiteralMap(literals={"a": collection(*elements), "b": collection()}))
    with pytest.raises(DecodeError) as caught:
        decode(Literal.from_flyte_idl(large), maps(lists(INT)))
    assert caught.value.path == "['a'][77777]"
    records = [packed({"x": at, "y": 1.0, "names": [], "notes": {}}) for at in range(5000)]
    records[4321] = packed({"x": "one", "y": 1.0, "names": [], "notes": {}})
    with pytest.raises(DecodeError) as caught:
        decode(Literal.from_flyte_idl(collection(*records)), lists(STRUCT), list[Point])
    assert (caught.value.path, caught.value.expected) == ("[4321].x", "int")


def test_lists_of_numbers_make_no_message_for_each_element() -> None:
    literal = encode(list(range(50_000)), lists(INT))
    decode(literal, lists(INT))  # what is made once is made
    made: list[str] = []

    def trace(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            made.append(frame.f_code.co_name)

    sys.setprofile(trace)
    try:
        decode(literal, LiteralType.from_flyte_idl(lists(INT)))
    finally:
        sys.setprofile(None)
    assert len(made) < 500


def test_an_error_beside_a_large_entry_says_where() -> None:
    large = primitive(string_value="x" * 600_000)
    message = L.Literal(map=L.LiteralMap(literals={"large": large, "small": primitive(string_value="s")}))
    literal = Literal.from_flyte_idl(message)
    assert decode(literal, maps(STR)) == {"large": "x" * 600_000, "small": "s"}
    with pytest.raises(DecodeError) as caught:
        decode(literal, maps(INT))
    assert caught.value.path in {"['large']", "['small']"}
    with pytest.raises(DecodeError) as caught:
        decode(Literal.from_flyte_idl(collection(large)), lists(INT))
    assert caught.value.path == "[0]"
    damaged = literal.wire.replace(b"large", b"lar\xff\xff")
    with pytest.raises(DecodeError, match="the bytes are not a literal"):
        decode(Literal.from_wire(damaged, 0, len(damaged)), maps(STR))
    text = large.SerializeToString()[:-1] + b"\xff"
    with pytest.raises(DecodeError, match="the bytes are not a literal"):
        decode(Literal.from_wire(text, 0, len(text)), STR)
