"""Recorded executions, run again: what the engine writes is what the real Flyte wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flyteidl.admin import execution_pb2, task_execution_pb2
from flyteidl.core import dynamic_job_pb2  # noqa: TC002 - the annotation of a stand-in is looked up

from flyte_remote_async.cli.demo_tasks import TASKS
from flyte_remote_async.devserver.runners.dynamic import DynamicWorkflow
from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException
from tests.support.engine_rig import fresh, open_rig, timeless
from tests.support.recordings import labels, load
from tests.support.replays import fill_cache, recorded_spec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyteidl.admin import node_execution_pb2
    from flyteidl.core import execution_pb2 as core_execution_pb2

    from tests.support.engine_rig import Rig, Written
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio

REPLAYED = [
    "samples.chain",
    "samples.branch",
    "samples.wide5",
    "samples.wide20",
    "samples.wide100",
    "samples.flakywf",
    "samples.failing",
    "more.cachedwf",
    "cached.again",
    "more.nested_branch",
    "more.empty",
    "more.exhausted",
    "more.large",
    "more.lp_failing/n0",
    "samples.mapped",
    "more.mapped_tolerant",
    "more.mapped_failing",
    "samples.dynwf",
    "more.dynfail",
    "more.deep",
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

    @rig.stand_ins.task("samples.dyn")
    def dyn(n: int) -> DynamicWorkflow:
        workflow = DynamicWorkflow()
        sums = [workflow.task("samples.add", a=i, b=1) for i in range(n)]
        return workflow.returns(o0=[each["o0"] for each in sums])

    @rig.stand_ins.task("more.dyn_deep")
    def dyn_deep(n: int) -> dynamic_job_pb2.DynamicJobSpec:
        return asked_for("more.deep", n)

    @rig.stand_ins.task("more.dyn_bad")
    def dyn_bad(n: int) -> DynamicWorkflow:
        raise RuntimeError("dynamic failed to compile")

    @rig.stand_ins.task("more.maybe_fail")
    def maybe_fail(a: int) -> int:
        if a == 2:
            raise ValueError("element two")
        return a

    @rig.stand_ins.task("more.big")
    def big(n: int) -> list[str]:
        return [f"{i:0100d}" for i in range(n)]


def asked_for(label: str, n: int) -> dynamic_job_pb2.DynamicJobSpec:
    """What a recorded dynamic task asked for, with another number in its first node."""
    spec = recorded_spec(load(), labels()[label], "n0")
    assert spec is not None
    spec.nodes[0].inputs[0].binding.scalar.primitive.integer = n
    return spec


def told(error: core_execution_pb2.ExecutionError) -> tuple[str, int, str, str]:
    """What an error says, without the files and lines of its trace."""
    before, _, after = error.message.partition("Trace:")
    return error.code, error.kind, before, after.rpartition("\n")[2] if after else ""


def without_version(workflow: Any) -> Any:
    """A dynamic workflow without the version that is made up for it."""
    workflow.id.version = workflow.compiled_workflow.primary.template.id.version = ""
    return workflow


def without_message(closure: Any) -> Any:
    """A closure whose error keeps code and kind: node errors were recorded from lists, which cut them short."""
    if closure.HasField("error"):
        closure.error.message = ""
    return closure


async def prepare(rig: Rig, recordings: Recordings, label: str) -> None:
    """Bring about what there was before an execution: the one that it recovers, and what it found in the cache."""
    if label == "more.mapped_failing":
        rig.stand_ins.add("more.maybe_fail", fail_while_others_run())
    if label == "recover":
        await rig.run(*fresh(recordings, "samples.failing"))
    for record in recordings.of_kind("NODE_EXECUTION", label):
        known = record.message.closure.task_node_metadata.catalog_key
        if known.HasField("source_task_execution"):
            outputs = recordings.get("NODE_EXECUTION_DATA", record.key.partition("|")[0]).full_outputs
            await fill_cache(rig.store, known, outputs)


def fail_while_others_run() -> Callable[[int], Awaitable[int]]:
    """The first item ends, the second fails after it, and the others would run on for ever."""
    ended, running = anyio.Event(), anyio.Semaphore(0)

    async def maybe_fail(a: int) -> int:
        if a > 2:
            running.release()
            await anyio.sleep_forever()
        if a == 2:
            await ended.wait()
            await running.acquire()
            await running.acquire()
            raise ValueError("element two")
        ended.set()
        return a

    return maybe_fail


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
    await prepare(rig, recordings, label)

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
    await prepare(rig, recordings, label)

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
        if message.HasField("dynamic_workflow"):
            assert without_version(kept.dynamic_workflow) == without_version(message.dynamic_workflow)
    for record in recordings.of_kind("TASK_EXECUTION_DATA", label):
        attempt = written.attempts[record.key.split("/")[1], int(record.key.split("/")[3])]
        kept = await rig.store.get_attempt_data(attempt.id)
        assert kept.inputs == record.message.full_inputs
        assert label == "more.large" or kept.outputs == record.message.full_outputs


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
