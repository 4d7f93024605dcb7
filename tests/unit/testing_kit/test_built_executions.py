"""Executions made by hand are read as those that ran."""

from __future__ import annotations

import dataclasses
import datetime as dt
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import execution_pb2, literals_pb2, types_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async import NodeKind, NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import WaitTimeoutError
from flyte_remote_async.models.literals import Literal
from flyte_remote_async.testing import build_attempt, build_execution, build_node
from flyte_remote_async.testing.values import literal_map, variables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution
    from flyte_remote_async.testing.builders import BuiltExecution

pytestmark = pytest.mark.anyio

AT = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@asynccontextmanager
async def knowing(*built: BuiltExecution) -> AsyncIterator[tuple[DevServer, FlyteRemote]]:
    async with DevServer() as dev, dev.remote() as remote:
        for each in built:
            await dev.load(each)
        yield dev, remote


async def read(built: BuiltExecution) -> FlyteWorkflowExecution:
    async with knowing(built) as (_, remote):
        return await (await remote.fetch_execution(built.name)).sync(sync_nodes=True)


async def test_one_that_succeeded_has_its_values_and_its_entities() -> None:
    outputs = {"o0": [1.5], "s": "x"}
    built = build_execution("e1", workflow="pkg.wf", inputs={"a": 3}, outputs=outputs, labels={"t": "b"})
    async with knowing(built) as (_, remote):
        execution = await (await remote.fetch_execution("e1")).wait(timeout=10)
        assert await execution.outputs.all() == outputs
        assert await execution.inputs["a"] == 3
        assert execution.spec.labels == {"t": "b"}
        workflow = await remote.fetch_workflow("pkg.wf")
        assert set(workflow.interface.outputs) == {"o0", "s"}
        plan = await remote.fetch_launch_plan("pkg.wf")
        assert plan.workflow_id == workflow.id


async def test_one_that_failed_tells_where() -> None:
    attempts = [
        build_attempt("FAILED", error="flaky", logs=["http://logs/0"]),
        build_attempt("FAILED", error="ValueError: no", reason="[1/1] currentAttempt done", logs=["http://logs/1"]),
    ]
    nodes = [
        build_node("n0", outputs={"o0": 1}),
        build_node("n1", "FAILED", task="pkg.broken", inputs={"a": 1}, error="ValueError: no", attempts=attempts),
        build_node("n2", "ABORTED"),
        build_node("n3", "QUEUED"),
    ]
    execution = await read(build_execution("e1", "FAILED", nodes=nodes, created_at=AT, duration=90))
    assert execution.error is not None
    assert (execution.error.code, execution.error.message) == ("USER:Error", "it failed")
    assert execution.closure.duration == dt.timedelta(seconds=90)
    found = execution.node_executions
    assert {name: node.phase for name, node in found.items()} == {
        "start-node": NodePhase.SUCCEEDED,
        "n0": NodePhase.SUCCEEDED,
        "n1": NodePhase.FAILED,
        "n2": NodePhase.ABORTED,
        "n3": NodePhase.QUEUED,
    }
    broken = found["n1"].task_executions
    assert [attempt.phase for attempt in broken] == [TaskPhase.FAILED, TaskPhase.FAILED]
    assert [attempt.logs[0].uri for attempt in broken] == ["http://logs/0", "http://logs/1"]
    assert broken[1].id.task_id.name == "pkg.broken"
    assert broken[1].reason == "[1/1] currentAttempt done"
    assert [attempt.phase for attempt in found["n2"].task_executions] == [TaskPhase.ABORTED]
    assert list(found["n3"].task_executions) == []


async def test_a_subworkflow_has_its_nodes_inside() -> None:
    inner = [build_node("n0", outputs={"o0": 7}), build_node("n1", children=[build_node("n0")])]
    built = build_execution("e1", nodes=[build_node("n0", children=inner)], outputs={"o0": 7})
    async with knowing(built) as (_, remote):
        execution = await (await remote.fetch_execution("e1")).sync(sync_nodes=True)
        parent = execution.node_executions["n0"]
        assert parent.kind is NodeKind.SUBWORKFLOW
        below = parent.subworkflow_node_executions
        assert set(below) == {"n0-0-start-node", "n0-0-n0", "n0-0-n1", "n0-0-end-node"}
        assert await below["n0-0-n0"].outputs["o0"] == 7
        assert "n0-0-n1-0-n0" in below["n0-0-n1"].subworkflow_node_executions


async def test_an_execution_moves_on_when_it_is_built_again() -> None:
    async with knowing(build_execution("e1", "RUNNING", nodes=[build_node("n0", "RUNNING")])) as (dev, remote):
        execution = await remote.fetch_execution("e1")
        with pytest.raises(WaitTimeoutError):
            await execution.wait(timeout=0.05)
        await dev.load(build_execution("e1", "ABORTED", abort_cause="enough", nodes=[build_node("n0", "ABORTED")]))
        execution = await execution.wait(timeout=10)
        assert (execution.phase, execution.closure.abort_cause) == (WorkflowPhase.ABORTED, "enough")


@given(
    phase=st.sampled_from(WorkflowPhase),
    nodes=st.lists(st.tuples(st.sampled_from(NodePhase), st.lists(st.sampled_from(TaskPhase), max_size=3)), max_size=4),
)
async def test_every_phase_can_be_built(phase: WorkflowPhase, nodes: list[tuple[NodePhase, list[TaskPhase]]]) -> None:
    made = [
        build_node(f"n{number}", of, attempts=[build_attempt(attempt) for attempt in attempts])
        for number, (of, attempts) in enumerate(nodes)
    ]
    execution = await read(build_execution("e1", phase.name, nodes=made))
    assert execution.phase is phase
    assert execution.is_done is phase.is_terminal
    for number, (of, attempts) in enumerate(nodes):
        node = execution.node_executions[f"n{number}"]
        assert node.phase is of
        assert [attempt.phase for attempt in node.task_executions] == attempts


def test_a_phase_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'DONE' is no phase: there are UNDEFINED, QUEUED, RUNNING"):
        build_execution("e1", "DONE")


def test_an_error_of_ones_own_is_kept() -> None:
    error = execution_pb2.ExecutionError(code="OOMKilled", message="m", kind=execution_pb2.ExecutionError.SYSTEM)
    assert build_node("n0", "FAILED", error=error).attempts[0].error is error
    assert build_execution("e1", error=error).error is error
    assert build_execution("e1").error is None


@dataclasses.dataclass
class Point:
    x: int


VALUES: list[tuple[Any, str]] = [
    (True, "BOOLEAN"),
    (1, "INTEGER"),
    (1.0, "FLOAT"),
    ("s", "STRING"),
    (AT, "DATETIME"),
    (dt.timedelta(seconds=1), "DURATION"),
    (None, "NONE"),
    (Point(1), "STRUCT"),
    ({"a": 1}, "STRUCT"),
    (literals_pb2.Literal(scalar={"binary": {"tag": "msgpack"}}), "STRUCT"),
]


@pytest.mark.parametrize(("value", "simple"), VALUES, ids=lambda value: str(value)[:20])
def test_values_have_the_types_that_they_look_like(value: Any, simple: str) -> None:
    declared = variables({"v": value}).variables["v"].type
    assert types_pb2.SimpleType.Name(declared.simple) == simple
    literal = literal_map({"v": value}).literals["v"]
    # A literal of it has the same type again, and so have lists of it.
    for again in (literal, Literal.from_flyte_idl(literal)):
        assert variables({"v": again}).variables["v"].type == declared
    assert variables({"v": [value]}).variables["v"].type.collection_type == declared
    listed = literals_pb2.Literal(collection={"literals": [literal]})
    assert variables({"v": listed}).variables["v"].type.collection_type == declared
    mapped = literals_pb2.Literal(map={"literals": {"k": literal}})
    assert variables({"v": mapped}).variables["v"].type.map_value_type == declared


def test_files_and_tables_keep_their_types() -> None:
    blob = literals_pb2.Literal(scalar={"blob": {"uri": "s3://b/k", "metadata": {"type": {"format": "csv"}}}})
    assert variables({"v": blob}).variables["v"].type.blob.format == "csv"
    table = literals_pb2.Literal(scalar={"structured_dataset": {"uri": "s3://b/k"}})
    table.scalar.structured_dataset.metadata.structured_dataset_type.format = "parquet"
    assert variables({"v": table}).variables["v"].type.structured_dataset_type.format == "parquet"
