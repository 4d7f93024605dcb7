"""Which values fit which types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import json_format

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.validators.typecheck import castable, literal_type_of
from tests.support.recordings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER: dict[str, Any] = {"simple": "INTEGER"}
STRING: dict[str, Any] = {"simple": "STRING"}
NONE: dict[str, Any] = {"simple": "NONE"}
STRUCT: dict[str, Any] = {"simple": "STRUCT"}
ENUM: dict[str, Any] = {"enum_type": {"values": ["a"]}}


def union(*variants: dict[str, Any]) -> dict[str, Any]:
    return {"union_type": {"variants": list(variants)}}


def many(element: dict[str, Any]) -> dict[str, Any]:
    return {"collection_type": element}


def dataset(form: str, **columns: str) -> dict[str, Any]:
    listed = [{"name": name, "literal_type": {"simple": kind}} for name, kind in columns.items()]
    return {"structured_dataset_type": {"format": form, "columns": listed}}


def schema(**columns: str) -> dict[str, Any]:
    return {"schema": {"columns": [{"name": name, "type": kind} for name, kind in columns.items()]}}


def blob(form: str) -> dict[str, Any]:
    return {"blob": {"format": form}}


@pytest.mark.parametrize(
    ("upstream", "downstream", "fits"),
    [
        (INTEGER, INTEGER, True),
        (INTEGER, {"simple": "FLOAT"}, False),
        (INTEGER, NONE, False),
        (NONE, NONE, True),
        (STRING, ENUM, True),
        (ENUM, STRING, True),
        (INTEGER, ENUM, False),
        (INTEGER | {"structure": {"tag": "int"}}, INTEGER, False),
        (INTEGER, INTEGER | {"structure": {"tag": "int"}}, True),
        (INTEGER, INTEGER | {"annotation": {"annotations": {}}}, True),
        (STRUCT, STRUCT | {"metadata": {}}, True),
        (STRUCT | {"metadata": {}}, STRUCT | {"metadata": {}}, True),
        (STRUCT | {"metadata": {"type": "object"}}, STRUCT | {"metadata": {"type": "string"}}, False),
        (many(INTEGER), many(INTEGER), True),
        (many(NONE), many(INTEGER), True),
        (many(STRING), many(INTEGER), False),
        (INTEGER, many(INTEGER), False),
        ({"map_value_type": INTEGER}, {"map_value_type": INTEGER}, True),
        ({"map_value_type": NONE}, {"map_value_type": INTEGER}, True),
        (INTEGER, union(INTEGER, NONE), True),
        (INTEGER, union(STRING, NONE), False),
        (STRING, union(STRING, ENUM), False),
        (union(INTEGER), INTEGER, True),
        (union(INTEGER, STRING), union(STRING, INTEGER, NONE), True),
        (union(INTEGER, STRING), union(STRING, NONE), False),
        (blob("csv"), blob("csv"), True),
        (blob("csv"), blob(""), True),
        (blob("csv"), blob("png"), False),
        (INTEGER, blob(""), False),
        (NONE, dataset(""), True),
        (NONE, schema(), False),
        (INTEGER, dataset(""), False),
        (dataset("parquet"), dataset("Parquet"), True),
        (dataset("csv"), dataset("parquet"), False),
        (dataset("csv"), schema(), False),
        (schema(a="INTEGER"), dataset("", a="INTEGER"), True),
        (schema(a="INTEGER", b="STRING"), schema(a="INTEGER"), True),
        (schema(a="INTEGER"), schema(a="STRING"), False),
        (schema(a="INTEGER"), schema(b="INTEGER"), False),
    ],
)
def test_castable(upstream: dict[str, Any], downstream: dict[str, Any], fits: bool) -> None:
    # Constructors take dicts for the values of a map from protobuf 6 on.
    types = (json_format.ParseDict(fields, types_pb2.LiteralType()) for fields in (upstream, downstream))
    assert castable(*types) is fits


@pytest.mark.parametrize(
    ("literal", "shown"),
    [
        ({}, ""),
        ({"scalar": {"primitive": {"boolean": True}}}, "simple:BOOLEAN"),
        ({"scalar": {"none_type": {}}}, ""),
        ({"scalar": {"generic": {}}}, "simple:STRUCT"),
        ({"scalar": {"binary": {"tag": "msgpack"}}}, "simple:STRUCT"),
        ({"scalar": {"binary": {"tag": "x"}}}, "simple:BINARY"),
        ({"scalar": {"blob": {"metadata": {"type": {"format": "csv"}}}}}, 'blob:{format:"csv"}'),
        ({"scalar": {"schema": {"type": {}}}}, "schema:{}"),
        ({"scalar": {"structured_dataset": {}}}, "structured_dataset_type:{}"),
        ({"scalar": {"union": {"type": INTEGER}}}, "union_type:{variants:{simple:INTEGER}}"),
        ({"scalar": {"error": {}}}, "simple:ERROR"),
        ({"collection": {}}, "collection_type:{simple:NONE}"),
        ({"collection": {"literals": [{"collection": {}}]}}, "collection_type:{collection_type:{simple:NONE}}"),
        ({"map": {"literals": {"a": {"scalar": {"primitive": {"integer": 1}}}}}}, "map_value_type:{simple:INTEGER}"),
        ({"offloaded_metadata": {"inferred_type": INTEGER}}, "simple:INTEGER"),
    ],
)
def test_the_type_that_a_value_shows(literal: dict[str, Any], shown: str) -> None:
    from google.protobuf.json_format import ParseDict

    # Zero is the number of NONE, which is set and not printed.
    text = prototext(literal_type_of(ParseDict(literal, literals_pb2.Literal())))
    assert text.replace("simple:NONE", "") == shown.replace("simple:NONE", "")


def test_elements_of_several_types_show_a_union() -> None:
    one, two = {"scalar": {"primitive": {"integer": 1}}}, {"scalar": {"primitive": {"string_value": "x"}}}
    mixed = literals_pb2.Literal(collection={"literals": [one, two]})
    assert [variant.simple for variant in literal_type_of(mixed).collection_type.union_type.variants] == [
        types_pb2.INTEGER,
        types_pb2.STRING,
    ]
    nested = literals_pb2.Literal(collection={"literals": [mixed, {"collection": {"literals": [{"scalar": {}}, one]}}]})
    inner = literal_type_of(nested).collection_type.collection_type
    assert len(inner.union_type.variants) >= 3


def recorded_values() -> Iterator[tuple[str, str, literals_pb2.Literal, types_pb2.LiteralType]]:
    state = load()
    for record in state.of_kind("TASK_EXECUTION_DATA"):
        owner = state.get("TASK_EXECUTION", record.key)
        task = owner.id.task_id
        try:
            interface = state.get("TASK", f"{task.project}/{task.domain}/{task.name}/{task.version}")
        except KeyError:
            continue
        if "arraynode" in task.name:
            continue  # what such a node gives are lists of what its task declares
        declared = interface.closure.compiled_task.template.interface
        for side, variables in (
            (record.message.full_inputs, declared.inputs),
            (record.message.full_outputs, declared.outputs),
        ):
            for name, literal in side.literals.items():
                yield record.key, name, literal, variables.variables[name].type


def test_all_recorded_values_fit_the_types_that_their_tasks_declare() -> None:
    checked = 0
    for key, name, literal, declared in recorded_values():
        assert castable(literal_type_of(literal), declared), (key, name)
        checked += 1
    assert checked > 200
