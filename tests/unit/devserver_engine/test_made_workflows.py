"""Workflows made by hypothesis keep what is promised of every execution, also to those who look while it runs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from flyteidl.admin import signal_pb2
from hypothesis import HealthCheck, given, settings

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.runners.stand_ins import current_attempt
from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.devserver.store.rows import execution_key
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase
from tests.support.engine_rig import open_rig
from tests.support.made_workflows import boolean, integer
from tests.support.plans import Plan, act, steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from google.protobuf.timestamp_pb2 import Timestamp

    from tests.support.engine_rig import Rig, Written
    from tests.support.plans import Step

pytestmark = pytest.mark.anyio

NUMBERS = itertools.count()
WORKFLOW_ORDER: Mapping[WorkflowPhase, set[WorkflowPhase]] = {
    WorkflowPhase.UNDEFINED: {WorkflowPhase.RUNNING},
    WorkflowPhase.RUNNING: {WorkflowPhase.SUCCEEDING, WorkflowPhase.FAILING},
    WorkflowPhase.SUCCEEDING: {WorkflowPhase.SUCCEEDED},
    WorkflowPhase.FAILING: {WorkflowPhase.FAILED},
}
NODE_ORDER: Mapping[NodePhase, set[NodePhase]] = {
    NodePhase.QUEUED: {NodePhase.RUNNING, NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.ABORTED},
    NodePhase.RUNNING: {NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.ABORTED, NodePhase.TIMED_OUT},
}
TASK_ORDER: Mapping[TaskPhase, set[TaskPhase]] = {
    TaskPhase.QUEUED: {TaskPhase.RUNNING, TaskPhase.ABORTED, TaskPhase.FAILED},
    TaskPhase.RUNNING: {TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.ABORTED},
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def rig(anyio_backend: str, clock: Clock) -> AsyncIterator[Rig]:
    async with open_rig(clock=clock) as rig:
        yield rig


def reached(order: Mapping[Any, set[Any]], before: Any, after: Any) -> bool:
    """Whether a row may be seen in one phase after another, what is between them unseen."""
    return before == after or any(reached(order, each, after) for each in order.get(before, ()))


@attrs.define
class Onlooker:
    """Reads all rows of an execution again and again, and notices what never may be."""

    rig: Rig
    written: Written

    @property
    def has_ended(self) -> bool:
        return WorkflowPhase(self.written.execution.closure.phase).is_terminal

    async def watch(self) -> None:
        while not self.has_ended:
            await self.look()
            await anyio.sleep(0.001)  # the clock waits for an idle store

    async def look(self) -> Written:
        before, now = self.written, await self.rig.read(self.written.execution)
        assert reached(
            WORKFLOW_ORDER, WorkflowPhase(before.execution.closure.phase), WorkflowPhase(now.execution.closure.phase)
        )
        for node_id, node in before.nodes.items():
            assert reached(NODE_ORDER, NodePhase(node.closure.phase), NodePhase(now.nodes[node_id].closure.phase)), (
                node_id
            )
            assert stamp(node.closure.updated_at) <= stamp(now.nodes[node_id].closure.updated_at)
        for key, attempt in before.attempts.items():
            assert reached(TASK_ORDER, TaskPhase(attempt.closure.phase), TaskPhase(now.attempts[key].closure.phase)), (
                key
            )
        self.written = now
        return now


def stamp(instant: Timestamp) -> int:
    return instant.ToNanoseconds()


async def run(rig: Rig, clock: Clock, plan: Plan) -> Written:
    """Run a made workflow to its end: open its gates, let time pass, and look at it meanwhile."""
    scripts = plan.scripts()

    @rig.stand_ins.task("t.step")
    async def step(key: int, a: int, b: int) -> int:
        await act(scripts[key], current_attempt().number, clock)
        return a + b + 1

    work = plan.made(f"made-{next(NUMBERS)}")
    await rig.start(work)
    onlooker = Onlooker(rig, await rig.read(work.execution))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(onlooker.watch)
        for _ in range(200):
            if onlooker.has_ended:
                break
            await clock.at_rest()
            if not await open_gates(rig, plan, onlooker.written):
                await clock.advance(seconds=20)
        assert onlooker.has_ended
    await rig.end(work)
    return await onlooker.look()


async def open_gates(rig: Rig, plan: Plan, written: Written) -> bool:
    rows = await rig.store.page(Query("signals", equals("signals", **execution_key(written.execution.id)), limit=1000))
    waiting = [found for data in rows if not (found := signal_pb2.Signal.FromString(data)).HasField("value")]
    for found in waiting:
        step = plan.signals()[found.id.signal_id]
        found.value.CopyFrom(integer(7) if step.kind == "signal" else boolean(step.script[0] == "ok"))
        await rig.store.put_signal(found)
        rig.engine.gates.ring(found.id)
    return bool(waiting)


def check_rows(written: Written) -> None:
    whole = written.execution.closure
    for node_id, node in written.nodes.items():
        closure, parent_id = node.closure, written.parents[node_id]
        assert NodePhase(closure.phase).is_terminal, node_id
        assert stamp(closure.created_at) <= stamp(closure.updated_at) <= stamp(whole.updated_at)
        if closure.HasField("started_at"):
            assert stamp(closure.created_at) <= stamp(closure.started_at)
            assert stamp(closure.started_at) + closure.duration.ToNanoseconds() == stamp(closure.updated_at)
        if parent_id:
            parent = written.nodes[parent_id]
            assert parent.metadata.is_parent_node
            assert stamp(parent.closure.created_at) <= stamp(closure.created_at)
            assert stamp(closure.updated_at) <= stamp(parent.closure.updated_at)
            assert (
                node_id == f"{parent_id}-{node.metadata.retry_group}-{node.metadata.spec_node_id}" or len(node_id) == 8
            )
        assert closure.HasField("error") == (NodePhase(closure.phase) in {NodePhase.FAILED, NodePhase.ABORTED})
    for (node_id, number), attempt in written.attempts.items():
        assert TaskPhase(attempt.closure.phase).is_terminal
        assert stamp(attempt.closure.updated_at) <= stamp(whole.updated_at)
        assert number == 0 or (node_id, number - 1) in written.attempts


def check_attempts(plan: Plan, written: Written) -> None:
    """No task was tried more often than its retries, and the platform's, allow."""
    allowed = max(step.retries for step in plan.steps) + 1 + 3
    if all(step.kind != "sub" for step in plan.steps):
        assert all(number < allowed for _, number in written.attempts)


@pytest.mark.parametrize("max_parallelism", [0, 2])
@pytest.mark.parametrize("fails_late", [False, True])
@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(nodes=steps)
async def test_what_is_promised_of_every_execution(
    rig: Rig, clock: Clock, nodes: tuple[Step, ...], *, fails_late: bool, max_parallelism: int
) -> None:
    plan = Plan(nodes, fails_late, max_parallelism)
    written = await run(rig, clock, plan)

    check_rows(written)
    check_attempts(plan, written)
    worked = plan.works()
    phase = WorkflowPhase(written.execution.closure.phase)
    if worked is None:
        assert phase is WorkflowPhase.FAILED
        told = written.execution.closure.error
        failed = [
            node.closure
            for node in written.nodes.values()
            if NodePhase(node.closure.phase) in {NodePhase.FAILED, NodePhase.TIMED_OUT}
        ]
        assert any(closure.error == told or told.code == "Timeout" for closure in failed)
        assert "end-node" not in written.nodes or plan.fails_late
        return
    assert phase is WorkflowPhase.SUCCEEDED, written.execution.closure.error.message
    assert {NodePhase(node.closure.phase) for node in written.nodes.values()} == {NodePhase.SUCCEEDED}
    giving = [each.value for each, step in zip(worked, plan.steps, strict=True) if step.kind != "sleep"]
    if giving:
        assert written.outputs.literals["o0"] == integer(giving[-1] or 0)
    for index, (each, step) in enumerate(zip(worked, plan.steps, strict=True)):
        if step.kind == "task":
            assert [number for node_id, number in written.attempts if node_id == f"n{index}"] == list(
                range(each.attempts)
            )
    assert clock._timers == []
