"""Large messages in pieces."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import node_execution_pb2
from flyteidl.core import literals_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.errors import MalformedMessageError
from flyte_remote_async.models import pieces
from flyte_remote_async.models.literals import Literal as LiteralValue
from flyte_remote_async.models.literals import literals_by_name, literals_in_pieces
from flyte_remote_async.models.message import canonical_bytes
from flyte_remote_async.models.pieces import canonical_in_pieces, merge_in_pieces
from flyte_remote_async.models.turns import BETWEEN
from flyte_remote_async.models.wire import header, plain_elements
from tests.support.messages import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

Literal, Collection, Map = literals_pb2.Literal, literals_pb2.LiteralCollection, literals_pb2.LiteralMap

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(params=[1, 7, 40, 300])
def piece(request: pytest.FixtureRequest) -> Iterator[int]:
    """Make pieces small, so that small messages are large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", request.param)
        yield request.param


def number(value: float) -> literals_pb2.Literal:
    field = {int: "integer", float: "float_value", bool: "boolean"}[type(value)]
    chosen: dict[str, Any] = {field: value}
    return Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(**chosen)))


def test_messages_of_every_kind(piece: int) -> None:
    @given(messages(Literal))
    def check(message: literals_pb2.Literal) -> None:
        data = message.SerializeToString()
        assert canonical_in_pieces(Literal, data) == canonical_bytes(message)
        assert merge_in_pieces(Literal, data, piece) == message

    check()


def test_maps_of_literals(piece: int) -> None:
    @given(messages(Map))
    def check(message: literals_pb2.LiteralMap) -> None:
        data = message.SerializeToString()
        assert literals_in_pieces(data) == literals_by_name(message)
        assert list(literals_in_pieces(data)) == list(literals_by_name(message))
        assert literals_in_pieces(b"xx" + data + b"x", 2, len(data) + 2) == literals_by_name(message)

    check()


def test_messages_that_do_not_come_in_their_usual_order(piece: int) -> None:
    @given(messages(Literal), messages(Literal))
    def check(one: literals_pb2.Literal, other: literals_pb2.Literal) -> None:
        # The bytes of two messages after each other are the bytes of their merge.
        data = one.SerializeToString() + other.SerializeToString()
        assert canonical_in_pieces(Literal, data) == canonical_bytes(Literal.FromString(data))
        assert merge_in_pieces(Literal, data, piece) == Literal.FromString(data)

    check()


def test_bytes_that_are_no_message(piece: int) -> None:
    @given(st.binary(max_size=60))
    def check(data: bytes) -> None:
        try:
            expected = Literal.FromString(data)
        except Exception:  # noqa: BLE001 - whatever protobuf raises, ours is one error
            with pytest.raises(MalformedMessageError):
                canonical_in_pieces(Literal, data)
        else:
            assert canonical_in_pieces(Literal, data) == canonical_bytes(expected)

    check()


def test_text_that_is_no_utf_8(piece: int) -> None:
    text = Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value="é" * 200)))
    data = text.SerializeToString()
    assert canonical_in_pieces(Literal, data) == data
    with pytest.raises(MalformedMessageError):
        canonical_in_pieces(Literal, data[:-1] + b"e")


def test_a_nested_message_is_merged_in_pieces(piece: int) -> None:
    reply = node_execution_pb2.NodeExecutionGetDataResponse()
    for number_ in range(50):
        reply.dynamic_workflow.compiled_workflow.tasks.add().template.id.name = f"task{number_}"
    assert merge_in_pieces(type(reply), reply.SerializeToString(), piece) == reply


@given(st.lists(st.one_of(INT64, st.floats(allow_nan=False), st.booleans())))
def test_plain_elements_are_their_own_canonical_form(values: list[float]) -> None:
    data = canonical_bytes(Collection(literals=map(number, values)))
    assert plain_elements().fullmatch(data)
    for field, python in (("integer", int), ("float_value", float), ("boolean", bool)):
        assert bool(plain_elements(field).fullmatch(data)) == all(type(value) is python for value in values)


@given(st.lists(INT64, min_size=1, max_size=3), st.data())
def test_what_counts_as_plain_is_canonical(values: list[int], draw: st.DataObject) -> None:
    data = bytearray(canonical_bytes(Collection(literals=map(number, values))))
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    if plain_elements().fullmatch(bytes(data)):
        assert canonical_bytes(Collection.FromString(bytes(data))) == data


@pytest.mark.parametrize(
    "element",
    [
        b"",
        b"\n\x02\n\x00",
        b"\n\x05\n\x03\x08\x80\x00",  # zero in two bytes
        b"\n\x06\n\x04\x08\x01\x08\x02",  # two integers, of which the last one counts
        b"\n\x0d\n\x0b\x08" + b"\xff" * 9 + b"\x7f",  # more than 64 bits
        b"\n\x04\n\x02\x20\x02",  # true, written as 2
    ],
)
def test_other_forms_are_not_plain(element: bytes) -> None:
    assert not plain_elements().fullmatch(header(1, len(element)) + element)


def test_there_are_turns_between_pieces(piece: int) -> None:
    data = Literal(collection=Collection(literals=map(number, range(10_000)))).SerializeToString()
    turns: list[None] = []
    token = BETWEEN.set(lambda: turns.append(None))
    try:
        canonical_in_pieces(Literal, data)
    finally:
        BETWEEN.reset(token)
    assert len(turns) >= len(data) / max(2 * piece, 20)


def test_a_large_literal_is_brought_to_its_canonical_form_when_it_is_compared() -> None:
    entries = {f"key{at}": number(at) for at in range(20_000)}
    forth = Map(literals=entries).SerializeToString()
    back = Map(literals=dict(reversed(entries.items()))).SerializeToString()
    # A map's order is protobuf's affair; bytes in two orders are made by hand.
    half = Map(literals={"a": number(1)}).SerializeToString()
    orders = [header(3, len(half + forth)) + half + forth, header(3, len(half + back)) + back + half]
    one, other = (LiteralValue.from_wire(data, 0, len(data)) for data in orders)
    assert one.wire == orders[0]
    assert one.wire != other.wire
    assert one == other
    assert hash(one) == hash(other)
    assert one.serialize_to_string() == canonical_bytes(Literal.FromString(orders[0]))
    assert pickle.loads(pickle.dumps(one)) == other
    assert LiteralValue.from_flyte_idl(Literal.FromString(orders[1])) == one
    assert one != LiteralValue.from_flyte_idl(Literal(map=Map(literals=entries)))
    assert one != orders[0]
