"""Sync, held against the recorded executions of a real Flyte."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async import NodeKind
from tests.support import expected_trees, recordings
from tests.support.remotes import WAYS, recorded_server, remote_of

if TYPE_CHECKING:
    from flyte_remote_async import (
        FlyteNodeExecution,
        FlyteRemote,
        FlyteTaskExecution,
        FlyteWorkflowExecution,
        TypedInterface,
    )

pytestmark = pytest.mark.anyio

LABELS = recordings.labels()


def tree_of(execution: FlyteWorkflowExecution) -> dict[str, Any]:
    """Return a snapshot in the form of the expected trees."""
    return {
        "name": execution.id.name,
        "phase": execution.phase.name,
        "error_code": _code(execution),
        "nodes": [_node(node) for node in execution.node_executions.values()],
    }


def _node(node: FlyteNodeExecution) -> dict[str, Any]:
    return {
        "node_id": node.id.node_id,
        "spec_node_id": node.spec_node_id,
        "kind": str(node.kind),
        "phase": node.phase.name,
        "error_code": _code(node),
        "attempts": [_attempt(attempt) for attempt in node.task_executions],
        "children": [_node(child) for child in node.subworkflow_node_executions.values()],
        "executions": [tree_of(child) for child in node.workflow_executions],
    }


def _attempt(attempt: FlyteTaskExecution) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "task": attempt.id.task_id.name,
        "phase": attempt.phase.name,
        "error_code": _code(attempt),
    }


def _code(snapshot: FlyteWorkflowExecution | FlyteNodeExecution | FlyteTaskExecution) -> str | None:
    return (snapshot.closure.error.code or None) if snapshot.closure.error else None


@pytest.mark.parametrize("way", WAYS)
async def test_every_recorded_tree_comes_back_node_for_node_and_attempt_for_attempt(way: str) -> None:
    expected = json.loads(expected_trees.FILE.read_text())
    async with recorded_server() as server, remote_of(server, way) as (remote, ledger):
        for name in expected:
            ledger.clear()
            execution = await remote.execution(name).sync(sync_nodes=True)
            assert tree_of(execution) == expected[name], name
            assert ledger.repeated == [], name


async def test_the_hundred_node_execution_costs_two_requests_for_statuses() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(LABELS["samples.wide100"]).sync(sync_nodes=True, attempts=False)
        assert len(execution.node_executions) == 102
        assert ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 1}


async def test_the_hundred_node_execution_costs_one_request_for_each_task_more_with_attempts() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(LABELS["samples.wide100"]).sync(sync_nodes=True)
        assert sum(len(node.task_executions) for node in execution.node_executions.values()) == 100
        assert ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 1, "ListTaskExecutions": 100}
        assert ledger.repeated == []


@pytest.mark.parametrize("label", ["samples.wide100", "more.deep", "more.lp_failing", "samples.dynwf"])
async def test_what_has_ended_is_never_read_again(label: str) -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(LABELS[label]).sync(sync_nodes=True)
        ledger.clear()
        assert await execution.sync(sync_nodes=True) is execution
        assert await execution.wait() is execution
        assert await execution.sync() is execution
        assert ledger.total == 0


async def test_attempts_that_were_left_out_are_read_when_they_are_wanted() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        statuses = await remote.execution(LABELS["samples.chain"]).sync(sync_nodes=True, attempts=False)
        ledger.clear()
        whole = await statuses.sync(sync_nodes=True)
        assert ledger.counts == {"ListNodeExecutions": 2, "ListTaskExecutions": 4}
        assert len(whole.node_executions["n1"].task_executions) == 1


async def test_definitions_bring_interfaces_and_tasks() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(LABELS["samples.nested_lp"]).sync(sync_nodes=True, definitions=True)
        assert execution.flyte_workflow is not None
        assert execution.flyte_workflow.id.name == "samples.nested_lp"
        child, adding = execution.node_executions["n0"], execution.node_executions["n1"]
        assert child.kind is NodeKind.LAUNCH_PLAN
        assert child.interface is not None
        assert set(child.interface.outputs) == {"o0"}
        assert adding.interface is not None
        assert set(adding.interface.inputs) == {"a", "b"}
        (attempt,) = adding.task_executions
        assert attempt.task is not None
        assert await attempt.fetch_task() is attempt.task
        # samples.sub, samples.nested_lp and samples.add, each once.
        assert ledger.counts["GetWorkflow"] == 2
        assert ledger.counts["GetTask"] == 1


async def test_definitions_tell_the_interface_of_nodes_without_attempts() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        chain = await remote.execution(LABELS["samples.chain"]).sync(sync_nodes=True, definitions=True)
        assert str(chain.node_executions["n0"].interface) == str(await _interface(remote, "samples.sub"))
        nested = await remote.execution(LABELS["more.nested_branch"]).sync(sync_nodes=True, definitions=True)
        branch = nested.node_executions["n0"]
        assert branch.interface is None
        assert branch.subworkflow_node_executions["n0-0-n0-n0"].interface == await _interface(remote, "samples.sub")
        cached = await remote.execution(LABELS["cached.again"]).sync(sync_nodes=True, definitions=True)
        assert cached.node_executions["n0"].interface is not None


async def _interface(remote: FlyteRemote, workflow: str) -> TypedInterface:
    return (await remote.fetch_workflow(workflow, "v2")).interface


async def test_inputs_and_outputs_that_were_read_along_cost_nothing_later() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(LABELS["samples.chain"]).sync(sync_nodes=True, io=True)
        ledger.clear()
        assert await execution.inputs.all() == {"a": 3}
        assert await execution.outputs["o0"] == 5
        assert await execution.node_executions["n1"].outputs["o0"] == {
            "x": 5,
            "y": 2.5,
            "tags": ["a", "b"],
            "name": None,
        }
        assert ledger.total == 0


async def test_every_snapshot_pickles_compares_and_shows_itself() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        for name in LABELS.values():
            execution = await remote.execution(name).sync(sync_nodes=True)
            again = pickle.loads(pickle.dumps(execution))
            assert again == execution
            assert hash(again) == hash(execution)
            assert tree_of(again) == tree_of(execution)
            assert name in repr(execution)
            assert name in execution.short_string()
            assert execution.verbose_string() == execution.short_string()
            assert json.loads(json.dumps(execution.to_dict()))["name"] == name


async def test_a_node_without_outputs_has_none_whether_its_interface_is_known_or_not() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        empty = await remote.execution(LABELS["more.empty"]).sync(sync_nodes=True, attempts=False)
        ledger.clear()
        assert await empty.node_executions["n0"].outputs.all() == {}
        assert ledger.counts == {"GetNodeExecutionData": 1, "ListTaskExecutions": 1, "GetTask": 1}
        deep = await remote.execution(LABELS["more.deep"]).sync(sync_nodes=True)
        start = deep.node_executions["n0"].subworkflow_node_executions["n0-0-start-node"]
        assert await start.outputs.all() == {}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("samples.chain", {"o0": 5, "p": {"x": 5, "y": 2.5, "tags": ["a", "b"], "name": None}}),
        ("samples.branch", {"o0": 30}),
        ("more.mapped_tolerant", {"o0": [1, None, 3, 4]}),
        ("more.empty", {}),
        ("task.add", {"o0": 9}),
        ("more.deep", {"o0": 14}),
    ],
)
@pytest.mark.parametrize("way", WAYS)
async def test_outputs_are_python_values(way: str, label: str, expected: dict[str, Any]) -> None:
    async with recorded_server() as server, remote_of(server, way) as (remote, ledger):
        execution = await remote.fetch_execution(LABELS[label])
        ledger.clear()
        outputs = await execution.outputs.all()
        assert {name: outputs[name] for name in expected} == expected
        assert ledger.total == 2  # the data, and the interface of what was launched
