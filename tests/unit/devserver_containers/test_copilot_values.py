"""Values in files: what the copilot writes, and what it makes of what is written."""

from __future__ import annotations

import json
import math

import pytest
from flyteidl.core import literals_pb2, types_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.runners.copilot_values import json_value, literal_of, primitive_text, summary
from tests.support.literal_fields import scalar_from


def primitive(**value: object) -> literals_pb2.Primitive:
    return literals_pb2.Primitive(**value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"integer": -5}, "-5"),
        ({"string_value": "ü x"}, "ü x"),
        ({"boolean": True}, "true"),
        ({"float_value": 1.0}, "1"),
        ({"float_value": 1e21}, "1000000000000000000000"),
        ({"float_value": 2.5e-7}, "0.00000025"),
        ({"float_value": math.inf}, "+Inf"),
        ({"float_value": -math.inf}, "-Inf"),
        ({"float_value": math.nan}, "NaN"),
        ({"duration": {"seconds": 90, "nanos": 500_000_000}}, "1m30.5s"),
        ({"datetime": {"seconds": 1}}, "1970-01-01T00:00:01Z"),
        ({"datetime": {"seconds": 1, "nanos": 500_000_000}}, "1970-01-01T00:00:01.5Z"),
        ({}, "null"),
    ],
)
def test_a_primitive_is_written_as_go_does(value: dict[str, object], text: str) -> None:
    assert primitive_text(primitive(**value)) == text


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ({"primitive": {"integer": 3}}, 3),
        ({"primitive": {"float_value": 1e21}}, 1e21),
        ({"primitive": {"datetime": {"seconds": 1}}}, "1970-01-01T00:00:01Z"),
        ({"primitive": {"duration": {"seconds": 1}}}, None),
        ({"binary": {"value": b"\x81"}}, "gQ=="),
        ({"error": {"message": "bad"}}, "bad"),
        ({"generic": {"a": [1, None]}}, {"a": [1, None]}),
        ({"none_type": {}}, None),
    ],
)
def test_the_summary_has_plain_values(scalar: dict[str, object], value: object) -> None:
    told = json_value(scalar_from(scalar))
    assert json.loads(summary({"x": told})) == {"x": value}


def test_whole_numbers_have_no_fraction_in_the_summary() -> None:
    assert summary({"a": {"b": [1.0, 1.5]}, "c": 3.0}) == b'{"a":{"b":[1,1.5]},"c":3}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        summary({"a": math.nan})


def test_bytes_are_kept() -> None:
    assert literal_of(types_pb2.BINARY, b"\x81\xa1a\x01\n").scalar.binary.value == b"\x81\xa1a\x01"


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans())
def test_what_is_written_is_read_again(integer: int, number: float, flag: bool) -> None:
    for simple, value in (
        (types_pb2.INTEGER, primitive(integer=integer)),
        (types_pb2.FLOAT, primitive(float_value=number)),
        (types_pb2.BOOLEAN, primitive(boolean=flag)),
    ):
        assert literal_of(simple, f" {primitive_text(value)}\n".encode()).scalar.primitive == value


@pytest.mark.parametrize(
    ("simple", "text", "scalar"),
    [
        (types_pb2.STRING, " a b\t\n", {"primitive": {"string_value": "a b"}}),
        (types_pb2.DURATION, "1h0.5s", {"primitive": {"duration": {"seconds": 3600, "nanos": 500_000_000}}}),
        (types_pb2.DATETIME, "1970-01-01T01:00:00+01:00", {"primitive": {"datetime": {}}}),
        (types_pb2.DATETIME, "1970-01-01T00:00:00.1234567891Z", {"primitive": {"datetime": {"nanos": 123_456_789}}}),
        (types_pb2.STRUCT, '{"a": [true]}', {"generic": {"a": [True]}}),
        (types_pb2.BINARY, "abc", {"binary": {"value": b"abc", "tag": "msgpack"}}),
        (types_pb2.ERROR, "went wrong", {"error": {"message": "went wrong"}}),
        (types_pb2.NONE, "anything", {"none_type": {}}),
    ],
)
def test_an_output_is_read(simple: types_pb2.SimpleType, text: str, scalar: dict[str, object]) -> None:
    assert literal_of(simple, text.encode()).scalar == scalar_from(scalar)


@pytest.mark.parametrize(
    ("simple", "text", "words"),
    [
        (types_pb2.INTEGER, "1.5", "failed to parse integer value"),
        (types_pb2.INTEGER, "1_0", "failed to parse integer value"),
        (types_pb2.INTEGER, str(2**63), "failed to parse integer value"),
        (types_pb2.INTEGER, str(2**63), "value out of range"),
        (types_pb2.FLOAT, "1_0", "invalid syntax"),
        (types_pb2.FLOAT, "1e400", "value out of range"),
        (types_pb2.FLOAT, "x", "failed to parse Float value"),
        (types_pb2.BOOLEAN, "yes", "failed to parse Bool value"),
        (types_pb2.DURATION, "1 hour", "failed to parse Duration"),
        (types_pb2.DATETIME, "2024-01-01", "failed to parse Datetime"),
        (types_pb2.DATETIME, "2024-01-01T00:00:00", "failed to parse Datetime"),
        (types_pb2.DATETIME, "2024-13-01T00:00:00Z", "failed to parse Datetime"),
        (types_pb2.STRUCT, "[", "failed to load generic type as json"),
        (types_pb2.SimpleType.Value("ERROR") + 90, "x", "unsupported type"),
    ],
)
def test_what_is_no_value_of_the_type_is_said(simple: types_pb2.SimpleType, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        literal_of(simple, text.encode())
