from __future__ import annotations

from typing import Any

import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.devserver.engine.bindings import BindingError, promised_nodes, resolve
from tests.support.made_workflows import INTEGER, binding, integer

Data = literals_pb2.BindingData
Map = literals_pb2.LiteralMap


def resolve_one(data: Data, **outputs: literals_pb2.Literal) -> literals_pb2.Literal:
    given = {"n0": Map(literals=outputs)}
    return resolve([literals_pb2.Binding(var="x", binding=data)], given).literals["x"]


def promise(*path: str | int, var: str = "o0", node: str = "n0") -> Data:
    reference = types_pb2.OutputReference(node_id=node, var=var)
    for step in path:
        key = "int_value" if isinstance(step, int) else "string_value"
        reference.attr_path.add(**{key: step})
    return Data(promise=reference)


def collection(*items: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))


def packed(value: Any) -> literals_pb2.Literal:
    binary = literals_pb2.Binary(value=msgpack.packb(value), tag="msgpack")
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))


def generic(value: dict[str, Any]) -> literals_pb2.Literal:
    literal = literals_pb2.Literal()
    literal.scalar.generic.update(value)
    return literal


def test_scalars_promises_collections_and_maps_nest() -> None:
    data = Data(map=literals_pb2.BindingDataMap())
    inner = literals_pb2.BindingDataCollection(bindings=[binding(1), promise()])
    data.map.bindings["k"].CopyFrom(Data(collection=inner))

    literal = resolve_one(data, o0=integer(7))

    assert literal.map.literals["k"] == collection(integer(1), integer(7))
    assert promised_nodes([literals_pb2.Binding(var="x", binding=data)]) == {"n0"}


def test_a_union_input_is_wrapped_once() -> None:
    data = promise()
    data.union.targetType.CopyFrom(INTEGER)
    wrapped = resolve_one(data, o0=integer(7))
    assert wrapped.scalar.union.value == integer(7)
    assert wrapped.scalar.union.type == INTEGER
    assert resolve_one(data, o0=wrapped) == wrapped


def test_paths_lead_into_maps_lists_and_dataclasses() -> None:
    nested = literals_pb2.Literal(map=Map(literals={"k": collection(integer(1), integer(2))}))
    assert resolve_one(promise("k", 1), o0=nested) == integer(2)
    point = {"x": 5, "tags": ["a", "b"], "none": None, "flag": True}
    assert resolve_one(promise("tags", 1), o0=packed(point)) == packed("b")
    assert resolve_one(promise(0, "x"), o0=collection(packed(point))) == packed(5)


def test_paths_lead_into_structs() -> None:
    point = generic({"x": 5, "s": "t", "tags": ["a", {"b": None}], "flag": True})
    assert resolve_one(promise("x"), o0=point).scalar.primitive.float_value == 5.0
    assert resolve_one(promise("s"), o0=point).scalar.primitive.string_value == "t"
    assert resolve_one(promise("flag"), o0=point).scalar.primitive.boolean is True
    tags = resolve_one(promise("tags"), o0=point).collection.literals
    assert tags[0].scalar.primitive.string_value == "a"
    assert tags[1] == generic({"b": None})
    assert resolve_one(promise("tags", 1, "b"), o0=point).scalar.HasField("none_type")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (promise(node="n9"), "node n9 has no outputs yet"),
        (promise(var="o9"), "node n0 has no output 'o9'"),
        (promise("k"), "has no parts"),
        (promise("zz", var="m"), "'zz' is not in"),
        (promise(9, var="l"), "9 is not in"),
        (promise("k", var="l"), "'k' is not in"),
        (promise("zz", var="b"), "'zz' is not in"),
        (Data(), "kind nothing"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_it(data: Data, message: str) -> None:
    mapped = literals_pb2.Literal(map=Map(literals={"k": integer(1)}))
    with pytest.raises(BindingError, match=message):
        resolve_one(data, o0=integer(1), m=mapped, l=collection(integer(1)), b=packed({"x": 1}))
