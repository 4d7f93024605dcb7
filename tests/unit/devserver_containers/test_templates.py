"""Commands with everything filled in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgpack
import pytest
from flyteidl.core import literals_pb2

from flyte_remote_async.devserver.runners.templates import TemplateError, rendered, unique_key

FIELDS = {"input": "s3://b/inputs.pb", "outputprefix": "s3://b/0", "prevcheckpointprefix": '""'}


def primitive(**value: Any) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar={"primitive": value})


def packed(value: Any) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar={"binary": {"value": msgpack.packb(value), "tag": "msgpack"}})


INSTANT = literals_pb2.Primitive()
INSTANT.datetime.FromDatetime(dt.datetime(2024, 2, 29, 12, 30, 15, 120000, tzinfo=dt.UTC))
SPAN = literals_pb2.Primitive()
SPAN.duration.FromTimedelta(dt.timedelta(days=1, microseconds=7))


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{{.input}}", "s3://b/inputs.pb"),
        ("{{ $Input }}", "s3://b/inputs.pb"),
        ("--x={{.OUTPUTPREFIX}}/y", "--x=s3://b/0/y"),
        ("{{.prevCheckpointPrefix}}", '""'),
        ("{{.unknown}}", "{{.unknown}}"),
        ("{.input}", "{.input}"),
        ("a{{.Inputs.x}}b{{ .inputs.x }}", "a5b5"),
    ],
)
def test_fields_are_filled_in_whatever_their_case(word: str, filled: str) -> None:
    inputs = literals_pb2.LiteralMap(literals={"x": primitive(integer=5)})
    assert rendered([word], FIELDS, inputs) == [filled]


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (primitive(integer=-3), "-3"),
        (primitive(boolean=True), "true"),
        (primitive(string_value="a b"), "a b"),
        (primitive(float_value=3.0), "3"),
        (primitive(float_value=0.1), "0.1"),
        (primitive(float_value=-2.5e22), "-2.5e+22"),
        (primitive(float_value=1e21), "1e+21"),
        (primitive(float_value=123456789012345680000.0), "123456789012345683968"),
        (primitive(float_value=0.00001), "1e-05"),
        (primitive(float_value=0.0001), "0.0001"),
        (primitive(float_value=float("inf")), "+Inf"),
        (primitive(float_value=float("-inf")), "-Inf"),
        (primitive(float_value=float("nan")), "NaN"),
        (literals_pb2.Literal(scalar={"primitive": INSTANT}), "2024-02-29T12:30:15.12Z"),
        (literals_pb2.Literal(scalar={"primitive": SPAN}), "seconds:86400 nanos:7000"),
        (literals_pb2.Literal(scalar={"blob": {"uri": "s3://b/x"}}), "s3://b/x"),
        (literals_pb2.Literal(scalar={"schema": {"uri": "s3://b/y"}}), "s3://b/y"),
        (literals_pb2.Literal(collection={"literals": [primitive(integer=1), primitive(integer=2)]}), "[1,2]"),
        (packed({"b": [1, None, True], "a": 1.5}), "map[a:1.5 b:[1 <nil> true]]"),
        (packed(b"\x01\x02"), "[1 2]"),
    ],
)
def test_inputs_are_written_as_go_does(literal: literals_pb2.Literal, text: str) -> None:
    inputs = literals_pb2.LiteralMap(literals={"x": literal})
    assert rendered(["{{.Inputs.x}}"], {}, inputs) == [text]


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        (literals_pb2.Literal(map={}), r"unexpected primitive type \[map\]"),
        (literals_pb2.Literal(), r"unexpected primitive type \[None\]"),
        (literals_pb2.Literal(scalar={"primitive": {}}), r"unexpected primitive type \[<nil>\]"),
        (literals_pb2.Literal(scalar={"none_type": {}}), r"unexpected scalar type \[none_type\]"),
        (literals_pb2.Literal(scalar={"binary": {"tag": "x"}}), r"unsupported binary tag \[x\]"),
        (literals_pb2.Literal(scalar={"binary": {"tag": "msgpack", "value": b"\xc1"}}), "unmarshal messagepack"),
    ],
)
def test_what_cannot_be_part_of_a_command_is_said(literal: literals_pb2.Literal, reason: str) -> None:
    inputs = literals_pb2.LiteralMap(literals={"x": literal})
    with pytest.raises(TemplateError, match=rf"bind a value to inputName \[x\]: .*{reason}"):
        rendered(["{{.Inputs.x}}"], {}, inputs)
    with pytest.raises(TemplateError, match=r"requested input is not found \[y\]"):
        rendered(["{{.Inputs.y}}"], {}, inputs)


@pytest.mark.parametrize(
    ("name", "key"), [("a5qwc-n0-0", "a5qwc_n0_0"), ("5-n0--x.y", "an0_x_y"), ("e-n0-0", "e_n0_0")]
)
def test_the_key_of_an_attempt_is_a_name_anywhere(name: str, key: str) -> None:
    assert unique_key(name) == key
