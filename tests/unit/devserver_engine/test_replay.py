"""Recorded executions, run again: what the engine writes is what the real Flyte wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2

from flyte_remote_async.cli.demo_tasks import TASKS
from flyte_remote_async.devserver.stand_ins import FlyteRecoverableException
from tests.support.engine_rig import fresh, open_rig, timeless

if TYPE_CHECKING:
    from flyteidl.core import execution_pb2 as core_execution_pb2

    from tests.support.engine_rig import Rig, Written
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio

REPLAYED = [
    "samples.chain",
    "samples.wide5",
    "samples.wide20",
    "samples.wide100",
    "samples.flakywf",
    "samples.failing",
    "more.nested_branch",
    "more.empty",
    "more.exhausted",
    "more.large",
    "more.lp_failing/n0",
    "more.deep/n0-0-dn1",
    "samples.nested_lp",
    "samples.nested_lp/n0",
    "more.lp_failing",
    "lp.sub_lp",
    "lp.fixed",
    "recover",
    "relaunch",
    "task.add",
]


def register(rig: Rig) -> None:
    for name, function in TASKS.items():
        rig.stand_ins.add(name, function)

    @rig.stand_ins.task("more.always")
    def always(a: int) -> int:
        raise FlyteRecoverableException("attempt")

    @rig.stand_ins.task("more.big")
    def big(n: int) -> list[str]:
        return [f"{i:0100d}" for i in range(n)]


def told(error: core_execution_pb2.ExecutionError) -> tuple[str, int, str, str]:
    """What an error says, without the files and lines of its trace."""
    before, _, after = error.message.partition("Trace:")
    return error.code, error.kind, before, after.rpartition("\n")[2] if after else ""


def without_message(closure: Any) -> Any:
    """A closure whose error keeps code and kind: node errors were recorded from lists, which cut them short."""
    if closure.HasField("error"):
        closure.error.message = ""
    return closure


@pytest.fixture
async def rig(recordings: Recordings) -> Any:
    async with open_rig(recordings) as rig:
        register(rig)
        yield rig


def assert_nodes(recordings: Recordings, label: str, written: Written) -> None:
    recorded = {record.key: record.message for record in recordings.of_kind("NODE_EXECUTION", label)}
    assert sorted(f"{written.execution.id.name}/{node}|{written.parents[node]}" for node in written.nodes) == sorted(
        recorded
    )
    for message in recorded.values():
        ours, theirs = timeless(written.nodes[message.id.node_id]), timeless(message)
        without_message(ours.closure)
        without_message(theirs.closure)
        assert ours == theirs


@pytest.mark.parametrize("label", REPLAYED)
async def test_rows_are_the_recorded_rows(rig: Rig, recordings: Recordings, label: str) -> None:
    if label == "recover":
        await rig.run(*fresh(recordings, "samples.failing"))

    written = await rig.run(*fresh(recordings, label))

    (execution,) = recordings.messages(execution_pb2.Execution, label)
    ours, theirs = timeless(written.execution), timeless(execution)
    assert told(ours.closure.error) == told(theirs.closure.error)
    without_message(ours.closure)
    without_message(theirs.closure)
    assert ours == theirs
    assert_nodes(recordings, label, written)
    for attempt in recordings.messages(task_execution_pb2.TaskExecution, label):
        mine = written.attempts.pop((attempt.id.node_execution_id.node_id, attempt.id.retry_attempt))
        assert told(mine.closure.error) == told(attempt.closure.error)
        without_message(mine.closure)
        without_message(attempt.closure)
        assert timeless(mine) == timeless(attempt)
    assert not written.attempts


@pytest.mark.parametrize("label", REPLAYED)
async def test_data_is_the_recorded_data(rig: Rig, recordings: Recordings, label: str) -> None:
    if label == "recover":
        await rig.run(*fresh(recordings, "samples.failing"))

    written = await rig.run(*fresh(recordings, label))

    (data,) = recordings.messages(execution_pb2.WorkflowExecutionGetDataResponse, label)
    kept = await rig.store.get_execution_data(written.execution.id)
    assert kept.inputs == data.full_inputs
    if label != "more.large":  # its outputs are past what that server reads, so it recorded none
        assert kept.outputs == data.full_outputs
    for record in recordings.of_kind("NODE_EXECUTION_DATA", label):
        node = written.nodes[record.key.split("/")[1]]
        kept = await rig.store.get_node_data(node.id)
        message: node_execution_pb2.NodeExecutionGetDataResponse = record.message
        assert kept.inputs == message.full_inputs
        assert label == "more.large" or kept.outputs == message.full_outputs
    for record in recordings.of_kind("TASK_EXECUTION_DATA", label):
        attempt = written.attempts[record.key.split("/")[1], int(record.key.split("/")[3])]
        kept = await rig.store.get_attempt_data(attempt.id)
        assert kept.inputs == record.message.full_inputs
        assert label == "more.large" or kept.outputs == record.message.full_outputs


async def test_a_cached_task_runs_because_the_engine_has_no_cache(rig: Rig, recordings: Recordings) -> None:
    written = await rig.run(*fresh(recordings, "samples.branch"))

    for node in written.nodes.values():
        node.closure.ClearField("task_node_metadata")
        node.closure.ClearField("started_at")
    recorded = recordings.messages(node_execution_pb2.NodeExecution, "samples.branch")
    for node in recorded:
        node.closure.ClearField("task_node_metadata")
    by_id = {node.id.node_id: timeless(node) for node in recorded}
    assert {node_id: timeless(node) for node_id, node in written.nodes.items()} == by_id
    assert list(written.attempts) == [("n0-0-n0-n2", 0)]  # the real one found it in its cache
    (data,) = recordings.messages(execution_pb2.WorkflowExecutionGetDataResponse, "samples.branch")
    assert written.outputs == data.full_outputs


@pytest.mark.parametrize("a", [3, 5, 6, 101])
async def test_a_branch_goes_either_way(rig: Rig, recordings: Recordings, a: int) -> None:
    execution, inputs = fresh(recordings, "samples.branch")
    inputs.literals["a"].scalar.primitive.integer = a

    written = await rig.run(execution, inputs)

    taken = "n0-0-n0-n0" if a > 5 else "n0-0-n0-n2"
    assert list(written.nodes) == ["start-node", "n0", taken, "end-node"]
    assert written.outputs.literals["o0"].scalar.primitive.integer == (a + 1 if a > 5 else 10 * a)


async def test_the_other_side_of_a_branch_with_a_subworkflow(rig: Rig, recordings: Recordings) -> None:
    execution, inputs = fresh(recordings, "more.nested_branch")
    inputs.literals["b"].scalar.primitive.boolean = False

    written = await rig.run(execution, inputs)

    assert list(written.nodes) == ["start-node", "n0", "n0-0-n0-n1", "end-node"]
    assert written.outputs.literals["o0"].scalar.primitive.integer == 4


async def test_times_follow_one_another(rig: Rig, recordings: Recordings) -> None:
    written = await rig.run(*fresh(recordings, "samples.chain"))

    for node in written.nodes.values():
        closure = node.closure
        assert closure.created_at.ToNanoseconds() <= closure.updated_at.ToNanoseconds()
        if closure.HasField("started_at"):
            ended = closure.started_at.ToNanoseconds() + closure.duration.ToNanoseconds()
            assert ended == closure.updated_at.ToNanoseconds()
    for attempt in written.attempts.values():
        closure_of_attempt = attempt.closure
        assert closure_of_attempt.created_at.ToNanoseconds() <= closure_of_attempt.started_at.ToNanoseconds()
    inner, outer = written.nodes["n0-0-n1"].closure, written.nodes["n0"].closure
    assert outer.created_at.ToNanoseconds() <= inner.created_at.ToNanoseconds()
    assert inner.updated_at.ToNanoseconds() <= outer.updated_at.ToNanoseconds()
    whole = written.execution.closure
    assert whole.started_at.ToNanoseconds() + whole.duration.ToNanoseconds() == whole.updated_at.ToNanoseconds()
