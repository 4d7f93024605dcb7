from __future__ import annotations

import pickle
from datetime import datetime, timedelta
from typing import Any, Union

import pytest
from flyteidl.core import interface_pb2, types_pb2

from flyte_remote_async.interface import PythonInterface, TypedInterface, python_type
from flyte_remote_async.models.literals import LiteralType, Variable

T = types_pb2


def of(**simple: Any) -> LiteralType:
    return LiteralType.from_flyte_idl(T.LiteralType(**simple))


INT = of(simple=T.INTEGER)
STR = of(simple=T.STRING)
INT_OR_ANY = Union[int, Any]  # noqa: UP007 - made by the typing module, as it is in the package
INTERFACE = TypedInterface(
    {"b": Variable.of(STR, "second"), "a": Variable.of(INT, "first")},
    {f"o{number}": Variable.of(INT) for number in (10, 9, 1)},
)


def test_variables_are_in_natural_order() -> None:
    assert list(INTERFACE.inputs) == ["a", "b"]
    assert list(INTERFACE.outputs) == ["o1", "o9", "o10"]
    assert str(INTERFACE) == "(a: int, b: str) -> (o1: int, o9: int, o10: int)"


def test_equal_content_is_equal_whatever_the_order() -> None:
    again = TypedInterface(dict(reversed(list(INTERFACE.inputs.items()))), INTERFACE.outputs)
    assert again == INTERFACE
    assert hash(again) == hash(INTERFACE)
    assert pickle.loads(pickle.dumps(INTERFACE)) == INTERFACE
    assert TypedInterface.from_string(INTERFACE.serialize_to_string()) == INTERFACE
    assert TypedInterface(INTERFACE.inputs, {}) != INTERFACE


def test_it_cannot_be_changed() -> None:
    inputs: Any = INTERFACE.inputs
    with pytest.raises(TypeError):
        inputs["c"] = Variable.of(INT)
    with pytest.raises(AttributeError):
        INTERFACE.inputs = {}  # type: ignore[misc] # that is what is tested


def test_an_interface_without_variables_is_empty() -> None:
    assert TypedInterface({}, {}).is_empty
    assert TypedInterface({}, {}) == TypedInterface.from_flyte_idl(interface_pb2.TypedInterface())
    assert str(TypedInterface({}, {})) == "() -> ()"
    assert not INTERFACE.is_empty


def test_renderings() -> None:
    assert INTERFACE.short_string().startswith("Flyte Serialized object (TypedInterface):\n  inputs {")
    assert INTERFACE.verbose_string() == INTERFACE.short_string()
    assert INTERFACE._repr_html_().startswith("<pre>Flyte Serialized object")
    assert INTERFACE.to_dict()["inputs"]["variables"]["a"] == {"type": {"simple": "INTEGER"}, "description": "first"}


def test_the_interface_of_a_map() -> None:
    mapped = INTERFACE.transform_interface_to_list({"a"}, set())
    assert str(mapped) == "(a: int, b: list[str]) -> (o1: list[int], o9: list[int], o10: list[int])"
    assert mapped.inputs["b"].description == "second"
    without = INTERFACE.transform_interface_to_list(bound_inputs=set(), excluded_inputs={"b"})
    assert list(without.inputs) == ["a"]
    assert str(without.inputs["a"].type) == "list[int]"
    twice = mapped.transform_interface_to_list(excluded_inputs={"a", "unknown"})
    assert str(twice.inputs["b"].type) == "list[list[str]]"


def test_a_map_keeps_what_a_variable_says_besides_its_type() -> None:
    message = interface_pb2.Variable(type=INT.to_flyte_idl())
    message.artifact_tag.artifact_key.name = "key"
    interface = TypedInterface({}, {"o0": Variable.from_flyte_idl(message)}).transform_interface_to_list()
    assert interface.outputs["o0"].to_flyte_idl().artifact_tag.artifact_key.name == "key"


@pytest.mark.parametrize(
    ("literal_type", "expected"),
    [
        (INT, int),
        (STR, str),
        (of(simple=T.FLOAT), float),
        (of(simple=T.BOOLEAN), bool),
        (of(simple=T.DATETIME), datetime),
        (of(simple=T.DURATION), timedelta),
        (of(simple=T.NONE), type(None)),
        (of(simple=T.STRUCT), dict),
        (of(enum_type=T.EnumType(values=["a"])), str),
        (of(collection_type=INT.to_flyte_idl()), list[int]),
        (of(map_value_type=T.LiteralType(collection_type=STR.to_flyte_idl())), dict[str, list[str]]),
        (of(union_type=T.UnionType(variants=[T.LiteralType(simple=T.INTEGER), T.LiteralType()])), INT_OR_ANY),
        (of(union_type=T.UnionType()), Any),
        (of(blob=T.BlobType()), Any),
        (of(), Any),
    ],
)
def test_types_in_python(literal_type: LiteralType, expected: Any) -> None:
    assert python_type(literal_type) == expected


def test_the_interface_in_python() -> None:
    expected = PythonInterface({"a": int, "b": str}, {"o1": int, "o9": int, "o10": int})
    assert INTERFACE.python_interface == expected
    assert list(INTERFACE.python_interface.outputs) == ["o1", "o9", "o10"]
