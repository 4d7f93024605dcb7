"""Runs recorded workflows on the engine, and compares what it writes with what the real Flyte wrote."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import attrs
from flyteidl.admin import (
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    project_pb2,
    task_execution_pb2,
    task_pb2,
    workflow_pb2,
)
from google.protobuf.message import Message

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.faults import Faults
from flyte_remote_async.devserver.runners.echo import EchoRunner
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.runners.stand_ins import StandIns
from flyte_remote_async.devserver.services.launching import LaunchService
from flyte_remote_async.devserver.store import Query, Store
from flyte_remote_async.devserver.store.sql import Statement
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyteidl.core import literals_pb2, tasks_pb2

    from flyte_remote_async.devserver.runners import TaskCall
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from tests.support.made_workflows import Made
    from tests.support.recordings import Recordings

__all__ = ["Rig", "Written", "attempts", "fresh", "open_rig", "phase", "timeless"]

M = TypeVar("M", bound=Message)

_TIMES = frozenset({"started_at", "created_at", "updated_at", "duration", "occurred_at", "timestamp", "reported_at"})


def timeless(message: M) -> M:
    """Return a message without its instants and durations, and without what error traces say of files and lines."""
    copy = type(message)()
    copy.CopyFrom(message)
    _strip(copy)
    return copy


def _strip(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in _TIMES:
            message.ClearField(field.name)
        elif isinstance(value, Message):
            _strip(value)
        elif field.message_type is not None and hasattr(value, "add"):  # a repeated message, and no map
            for part in value:
                _strip(part)


@attrs.frozen
class Written:
    """All rows of one execution, by node id and by (node id, attempt)."""

    execution: execution_pb2.Execution
    nodes: dict[str, node_execution_pb2.NodeExecution]
    parents: dict[str, str]
    attempts: dict[tuple[str, int], task_execution_pb2.TaskExecution]
    outputs: literals_pb2.LiteralMap

    def phases(self) -> dict[str, str]:
        """Return the name of each node's phase."""
        return {node_id: NodePhase(node.closure.phase).name for node_id, node in self.nodes.items()}


def phase(written: Written) -> str:
    """Return the name of an execution's phase."""
    return WorkflowPhase(written.execution.closure.phase).name


def attempts(written: Written) -> dict[tuple[str, int], str]:
    """Return the name of each attempt's phase, by node id and number."""
    return {key: TaskPhase(attempt.closure.phase).name for key, attempt in written.attempts.items()}


@attrs.frozen
class Rig:
    """An engine over a store that has the entities of the recordings."""

    store: Store
    engine: Engine
    stand_ins: StandIns
    clock: Clock

    def waits(self, name: str) -> anyio.Event:
        """Let a task never end by itself; return an event that is set when it has begun."""
        begun = anyio.Event()

        @self.stand_ins.task(name)
        async def wait(a: int) -> int:
            begun.set()
            await anyio.sleep_forever()
            return a

        return begun

    def hangs(self, name: str) -> None:
        """Let a task take longer on the clock than any test."""

        @self.stand_ins.task(name)
        async def hang(a: int) -> int:
            await self.clock.sleep(1e6)
            return a

    async def start(self, made: Made) -> execution_pb2.Execution:
        await self.put(made)
        await self.launch(made.execution, made.inputs)
        return made.execution

    async def end(self, made: Made) -> Written:
        with anyio.fail_after(60):
            await self.engine.join(made.execution.id)
        return await self.read(made.execution)

    async def launch(self, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap) -> None:
        await self.store.put_execution(execution)
        await self.store.put_execution_data(execution.id, inputs=inputs)
        await self.engine.launch(execution, inputs)

    async def run(self, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap) -> Written:
        await self.launch(execution, inputs)
        await self.engine.join(execution.id)
        return await self.read(execution)

    async def run_made(self, made: Made) -> Written:
        await self.put(made)
        return await self.run(made.execution, made.inputs)

    async def put(self, made: Made) -> None:
        await self.store.put_workflow(made.workflow)
        await self.store.put_launch_plan(made.launch_plan)

    async def put_tasks(self, *templates: tasks_pb2.TaskTemplate) -> None:
        for template in templates:
            message = task_pb2.Task(id=template.id)
            message.closure.compiled_task.template.CopyFrom(template)
            await self.store.put_task(message)

    async def calls_of(self, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap) -> list[TaskCall]:
        """Run an execution on an engine of its own, and return what its runner was called for."""
        calls: list[TaskCall] = []

        class Looking(FunctionRunner):
            async def run(self, call: TaskCall) -> Outcome:
                calls.append(call)
                return await super().run(call)

        engine = Engine(self.store, [Looking(self.stand_ins, self.clock)], self.clock)
        await self.store.put_execution(execution)
        await engine.launch(execution, inputs)
        await engine.join(execution.id)
        return calls

    async def read(self, execution: execution_pb2.Execution) -> Written:
        name = execution.id.name
        found = await self.store.get_execution(execution.id)
        assert found is not None
        rows = await self.store.select(
            Statement("SELECT message, parent_id FROM node_executions WHERE execution_name = ? ORDER BY id", (name,))
        )
        nodes = [(node_execution_pb2.NodeExecution.FromString(message), parent or "") for message, parent in rows]
        attempts = await self._all("task_executions", task_execution_pb2.TaskExecution)
        return Written(
            found,
            {node.id.node_id: node for node, _ in nodes},
            {node.id.node_id: parent for node, parent in nodes},
            {
                (row.id.node_execution_id.node_id, row.id.retry_attempt): row
                for row in attempts
                if row.id.node_execution_id.execution_id.name == name
            },
            (await self.store.get_execution_data(execution.id)).outputs,
        )

    async def _all(self, table: str, message_type: type[M]) -> list[M]:
        return [message_type.FromString(row) for row in await self.store.page(Query(table, (), limit=1_000_000))]


@contextlib.asynccontextmanager
async def open_rig(
    recordings: Recordings | None = None, clock: Clock | None = None, store: Store | None = None
) -> AsyncIterator[Rig]:
    """Open an engine, over the entities of the recordings where they are given."""
    store = store or await Store.open()
    if recordings is not None:
        await _put_entities(store, recordings)
    stand_ins = StandIns()
    clock = clock or Clock()
    engine = Engine(store, (FunctionRunner(stand_ins, clock), EchoRunner()), clock)
    for project in ("flytesnacks", "p"):
        await store.add_project(project_pb2.Project(id=project))
    engine.ask(LaunchService(store, engine, clock, Faults()))
    try:
        yield Rig(store, engine, stand_ins, clock)
    finally:
        await engine.aclose()
        await store.aclose()


async def _put_entities(store: Store, recordings: Recordings) -> None:
    async with store.transaction() as together:
        for workflow in recordings.messages(workflow_pb2.Workflow):
            together.put_workflow(workflow)
        for launch_plan in recordings.messages(launch_plan_pb2.LaunchPlan):
            together.put_launch_plan(launch_plan)
        for task in recordings.messages(task_pb2.Task):
            together.put_task(task)


def fresh(
    recordings: Recordings, label: str, **changes: Any
) -> tuple[execution_pb2.Execution, literals_pb2.LiteralMap]:
    """Return a recorded execution as it was when it had just been created, and its inputs.

    Args:
        recordings: The recordings.
        label: Which execution.
        **changes: Fields of its spec to set.
    """
    (recorded,) = recordings.messages(execution_pb2.Execution, label)
    (data,) = recordings.messages(execution_pb2.WorkflowExecutionGetDataResponse, label)
    closure = execution_pb2.ExecutionClosure(
        created_at=recorded.closure.created_at,
        updated_at=recorded.closure.created_at,
        workflow_id=recorded.closure.workflow_id,
        state_change_details=recorded.closure.state_change_details,
    )
    execution = execution_pb2.Execution(id=recorded.id, spec=recorded.spec, closure=closure)
    for name, value in changes.items():
        setattr(execution.spec, name, value)
    return execution, data.full_inputs
