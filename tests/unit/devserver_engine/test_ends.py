"""Executions that are stopped: by an abort, by the end of the devserver, or because nobody carries them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.services.executions import ExecutionService
from flyte_remote_async.errors import FailedPreconditionError
from flyte_remote_async.models.phases import TaskPhase, WorkflowPhase
from tests.support.engine_rig import open_rig, phase
from tests.support.made_workflows import launch_plan, made, sleep, subworkflow, task, task_node

if TYPE_CHECKING:
    from tests.support.engine_rig import Rig
    from tests.support.made_workflows import Made

pytestmark = pytest.mark.anyio

HANG = task("t.hang")


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.hangs("t.hang")
    return rig


def long_work(name: str = "made") -> Made:
    return made(
        [subworkflow("n0", "sub"), sleep("n1", 9999)],
        [HANG],
        sub_workflows={"sub": ([task_node("n0", HANG, a=1)], {})},
        name=name,
    )


async def begin(rig: Rig, clock: Clock, work: Made) -> None:
    """Start work, and return when it can only wait."""
    await rig.start(work)
    await clock.at_rest()


async def test_an_abort_is_announced_and_then_carried_out(rig: Rig, clock: Clock) -> None:
    work = long_work()
    await begin(rig, clock, work)
    service = ExecutionService(rig.store, rig.engine, clock, 0)
    request = execution_pb2.ExecutionTerminateRequest(id=work.execution.id, cause="first")
    await service.terminate(request)
    written = await rig.read(work.execution)
    assert phase(written) in {"ABORTING", "ABORTED"}
    assert written.execution.closure.abort_metadata.cause == "first"
    written = await rig.end(work)
    assert phase(written) == "ABORTED"
    assert written.execution.closure.abort_metadata.cause == "first"
    assert written.execution.closure.HasField("duration")
    for node_id in ("n0", "n0-0-n0", "n1"):
        assert written.nodes[node_id].closure.error.code == "NodeAborted"
        assert written.nodes[node_id].closure.error.message == "Workflow aborted."
    assert not written.attempts["n0-0-n0", 0].closure.HasField("error")
    with pytest.raises(FailedPreconditionError, match="already terminated"):
        await service.terminate(request)


class Ticking(Clock):
    """A clock that shows no instant twice."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def now(self) -> dt.datetime:
        self.looks += 1
        return super().now() + dt.timedelta(microseconds=self.looks)


async def test_what_is_aborted_ends_before_what_it_is_inside_of() -> None:
    clock = Ticking()
    async with open_rig(clock=clock) as rig:
        rig.hangs("t.hang")
        work = made(
            [subworkflow("n0", "outer")],
            [HANG],
            sub_workflows={
                "outer": ([subworkflow("n0", "inner")], {}),
                "inner": ([task_node("n0", HANG, a=1)], {}),
            },
        )
        await begin(rig, clock, work)
        await rig.engine.abort(work.execution.id, "enough")
        written = await rig.end(work)
    below = [node_id for node_id in written.nodes if written.parents[node_id] and "start-node" not in node_id]
    assert len(below) == 2
    for node_id in below:
        node, parent = written.nodes[node_id].closure, written.nodes[written.parents[node_id]].closure
        assert node.updated_at.ToDatetime() < parent.updated_at.ToDatetime()
        assert node.duration.ToTimedelta() < parent.duration.ToTimedelta()
    assert len(written.attempts) == 1


async def test_a_second_abort_while_the_first_is_under_way_changes_the_cause(rig: Rig, clock: Clock) -> None:
    work = long_work()
    await begin(rig, clock, work)
    service = ExecutionService(rig.store, rig.engine, clock, 0)

    async def terminate(cause: str) -> None:
        await service.terminate(execution_pb2.ExecutionTerminateRequest(id=work.execution.id, cause=cause))

    def announce(message: execution_pb2.Execution) -> None:
        message.closure.phase = core_execution_pb2.WorkflowExecution.ABORTING
        message.closure.abort_metadata.cause = "first"

    await rig.store.update_execution(work.execution.id, announce)
    await terminate("second")
    written = await rig.end(work)
    assert (phase(written), written.execution.closure.abort_metadata.cause) == ("ABORTED", "second")


async def test_an_abort_reaches_the_executions_of_launch_plan_nodes(rig: Rig, clock: Clock) -> None:
    inner, outer = long_work("inner"), made([launch_plan("n0", "inner")], name="outer")
    await rig.put(inner)
    await begin(rig, clock, outer)
    written = await rig.read(outer.execution)
    child = written.nodes["n0"].closure.workflow_node_metadata.executionId
    await rig.engine.abort(outer.execution.id, "enough")
    written = await rig.end(outer)
    await rig.engine.join(child)
    ended = await rig.store.get_execution(child)
    assert ended is not None
    assert WorkflowPhase(ended.closure.phase) is WorkflowPhase.ABORTED
    assert ended.closure.abort_metadata.cause == (
        "cascading abort as parent execution id [outer] aborted, reason [Workflow aborted.]"
    )
    assert written.phases()["n0"] == "ABORTED"


async def test_a_launch_plan_node_that_takes_too_long_stops_its_execution(rig: Rig, clock: Clock) -> None:
    node = launch_plan("n0", "inner")
    node.metadata.timeout.seconds = 60
    outer = made([node], name="outer")
    await rig.put(long_work("inner"))
    await begin(rig, clock, outer)
    child = (await rig.read(outer.execution)).nodes["n0"].closure.workflow_node_metadata.executionId
    await clock.advance(minutes=2)
    written = await rig.end(outer)
    await rig.engine.join(child)
    ended = await rig.store.get_execution(child)
    assert ended is not None
    assert ended.closure.abort_metadata.cause.endswith("reason [node failing]")
    assert written.execution.closure.error.code == "RetriesExhausted|TimeoutExpired"


async def test_closing_writes_nothing_and_the_next_engine_says_so(rig: Rig, clock: Clock) -> None:
    running, aborting, done = long_work("running"), long_work("aborting"), made([], name="done")
    for work in (running, aborting, done):
        await begin(rig, clock, work)
    await rig.engine.join(done.execution.id)
    await rig.engine.aclose()

    def announce(message: execution_pb2.Execution) -> None:
        message.closure.phase = core_execution_pb2.WorkflowExecution.ABORTING
        message.closure.abort_metadata.cause = "stop"

    await rig.store.update_execution(aborting.execution.id, announce)
    assert phase(await rig.read(running.execution)) == "RUNNING"

    assert await Engine(rig.store, ()).mark_interrupted() == 2
    written = await rig.read(running.execution)
    error = written.execution.closure.error
    assert (phase(written), error.code, error.kind) == ("FAILED", "DevServerStopped", error.SYSTEM)
    assert "the devserver was stopped while execution running ran" in error.message
    assert "relaunch or recover it" in error.message
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "FAILED",
        "n1": "FAILED",
        "n0-0-start-node": "SUCCEEDED",
        "n0-0-n0": "FAILED",
    }
    assert written.parents["n0-0-n0"] == "n0"
    attempt = written.attempts["n0-0-n0", 0].closure
    assert (TaskPhase(attempt.phase), attempt.error) == (TaskPhase.FAILED, error)
    assert attempt.HasField("duration")
    written = await rig.read(aborting.execution)
    assert (phase(written), written.execution.closure.abort_metadata.cause) == ("ABORTED", "stop")
    assert written.phases()["n0-0-n0"] == "ABORTED"
    assert TaskPhase(written.attempts["n0-0-n0", 0].closure.phase) is TaskPhase.ABORTED
    assert phase(await rig.read(done.execution)) == "SUCCEEDED"
    assert await Engine(rig.store, ()).mark_interrupted() == 0


async def test_what_began_by_a_clock_that_was_ahead_took_no_time(rig: Rig, clock: Clock) -> None:
    execution = made([]).execution
    execution.closure.phase = core_execution_pb2.WorkflowExecution.RUNNING
    execution.closure.started_at.FromDatetime(clock.now() + dt.timedelta(hours=1))
    await rig.store.put_execution(execution)
    await rig.engine.abort(execution.id, "not ours")
    closure = (await rig.read(execution)).execution.closure
    assert closure.HasField("duration")
    assert closure.duration.ToNanoseconds() == 0


async def test_an_execution_that_came_from_elsewhere_is_aborted_with_its_nodes(rig: Rig) -> None:
    execution = made([]).execution
    execution.closure.phase = core_execution_pb2.WorkflowExecution.RUNNING
    node = node_execution_pb2.NodeExecution(
        id=identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=execution.id),
        closure=node_execution_pb2.NodeExecutionClosure(phase=core_execution_pb2.NodeExecution.RUNNING),
    )
    attempt = task_execution_pb2.TaskExecution(
        id=identifier_pb2.TaskExecutionIdentifier(task_id=HANG.id, node_execution_id=node.id),
        closure=task_execution_pb2.TaskExecutionClosure(phase=core_execution_pb2.TaskExecution.QUEUED),
    )
    await rig.store.put_execution(execution)
    await rig.store.put_node(node)
    await rig.store.put_attempt(attempt)
    await rig.engine.abort(execution.id, "not ours")
    written = await rig.read(execution)
    assert phase(written) == "ABORTED"
    assert written.execution.closure.abort_metadata.cause == "not ours"
    assert written.phases() == {"n0": "ABORTED"}
    assert TaskPhase(written.attempts["n0", 0].closure.phase) is TaskPhase.ABORTED
    before = written
    await rig.engine.abort(execution.id, "again")
    assert await rig.read(execution) == before
