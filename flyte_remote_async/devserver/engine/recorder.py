"""Writes what happens in one execution into the store: each step of a node in one transaction."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import anyio
from flyteidl.admin import node_execution_pb2
from flyteidl.core import execution_pb2

from flyte_remote_async.devserver.engine.graph import END_NODE
from flyte_remote_async.devserver.engine.records import AttemptRecord, NodeRecord, end_row, start_row
from flyte_remote_async.devserver.naming import Place, root_uri
from flyte_remote_async.models.phases import WorkflowPhase

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from flyteidl.admin import execution_pb2 as admin_pb2
    from flyteidl.core import compiler_pb2, identifier_pb2, literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.store import Store, Transaction

__all__ = ["WORKFLOW_ABORTED", "Recorder"]

WORKFLOW_ABORTED: Final = "Workflow aborted."
_WORKFLOW: Final = execution_pb2.WorkflowExecution


class Recorder:
    """The pen of one execution.

    Args:
        store: Where it writes.
        clock: What it dates with.
        execution_id: Whose execution it is.
    """

    def __init__(self, store: Store, clock: Clock, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        self._store = store
        self._clock = clock
        self.execution_id = execution_id
        self.root = root_uri(execution_id)
        self._live: dict[str, NodeRecord] = {}

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[Transaction]:
        # A write that was begun is finished: what is known here and what is in the store never differ.
        with anyio.CancelScope(shield=True):
            async with self._store.transaction() as together:
                yield together

    # --- nodes ---

    async def start(self, place: Place, inputs: literals_pb2.LiteralMap) -> None:
        """Write the start node of a workflow and its inputs."""
        row = start_row(self.execution_id, place, self._clock.now())
        async with self._writing() as together:
            together.put_node(row, place.parent_id)
            together.put_node_data(row.id, outputs=inputs)

    async def finish(self, place: Place, outputs: literals_pb2.LiteralMap) -> None:
        """Write the end node of a workflow and its outputs."""
        row = end_row(self.execution_id, place, self._clock.now())
        async with self._writing() as together:
            together.put_node(row, place.parent_id)
            together.put_node_data(row.id, inputs=outputs)

    async def skip(self, skipped: Iterable[tuple[Place, workflow_pb2.Node]]) -> None:
        """Write nodes as SKIPPED."""
        now = self._clock.now()
        async with self._writing() as together:
            for place, node in skipped:
                record = NodeRecord(self.execution_id, place, now, node)
                record.skip()
                together.put_node(record.message, place.parent_id)

    def new_node(self, place: Place, node: workflow_pb2.Node) -> NodeRecord:
        """Return the record of a node, not yet written."""
        return NodeRecord(self.execution_id, place, self._clock.now(), node)

    async def queue(self, record: NodeRecord, inputs: literals_pb2.LiteralMap) -> None:
        """Write a node as QUEUED, with its inputs."""
        self._live[record.place.node_id] = record
        async with self._writing() as together:
            together.put_node(record.message, record.place.parent_id)
            together.put_node_data(record.message.id, inputs=inputs)
            self._tell_parent(record, together)

    async def keep_data(
        self,
        record: NodeRecord,
        inputs: literals_pb2.LiteralMap,
        dynamic_workflow: node_execution_pb2.DynamicWorkflowNodeMetadata | None = None,
    ) -> None:
        """Write the inputs of a node that will not be queued, and the workflow that it made before."""
        async with self._writing() as together:
            together.put_node_data(record.message.id, inputs=inputs, dynamic_workflow=dynamic_workflow)

    def _tell_parent(self, record: NodeRecord, together: Transaction) -> None:
        # Flyte counts a branch as a parent once it has a child.
        parent = self._live.get(record.place.parent_id)
        if parent is not None and not parent.message.metadata.is_parent_node:
            parent.message.metadata.is_parent_node = True
            together.put_node(parent.message, parent.place.parent_id)

    async def run_node(
        self, record: NodeRecord, child: identifier_pb2.WorkflowExecutionIdentifier | None = None
    ) -> None:
        """Write a node as RUNNING.

        Args:
            record: The node.
            child: The execution that it has started.
        """
        record.run(self._clock.now(), child)
        async with self._writing() as together:
            together.put_node(record.message, record.place.parent_id)

    async def run_dynamic(
        self, record: NodeRecord, closure: compiler_pb2.CompiledWorkflowClosure, spec_uri: str
    ) -> None:
        """Write a node as DYNAMIC_RUNNING, with the workflow that its task asked for.

        Args:
            record: The node.
            closure: The workflow, compiled.
            spec_uri: Where the task left it.
        """
        record.run_dynamic(self._clock.now(), spec_uri)
        node_id, workflow_id = record.message.id, closure.primary.template.id
        dynamic = node_execution_pb2.DynamicWorkflowNodeMetadata(
            id=workflow_id, compiled_workflow=closure, dynamic_job_spec_uri=spec_uri
        )
        async with self._writing() as together:
            together.put_node(record.message, record.place.parent_id)
            together.put_node_data(node_id, dynamic_workflow=dynamic)
            together.put_dynamic_workflow(
                node_id, node_execution_pb2.DynamicNodeWorkflowResponse(compiled_workflow=closure)
            )

    async def end_node(self, record: NodeRecord, outcome: Outcome) -> None:
        """Write how a node ended."""
        record.end(self._clock.now(), outcome)
        async with self._writing() as together:
            together.put_node(record.message, record.place.parent_id)
            if outcome.has_succeeded:
                together.put_node_data(record.message.id, outputs=outcome.outputs)
            self._tell_parent(record, together)
        self._live.pop(record.place.node_id, None)

    async def abort_attempt(self, record: NodeRecord) -> None:
        """Write the attempt of a node that has not ended as ABORTED."""
        async with self._writing() as together:
            self._abort_attempt(record, together, self._clock.now())

    async def abort_inside(self, parent_id: str, reason: str) -> None:
        """Write all nodes inside of a node that have not ended as ABORTED, with their attempts, innermost first.

        Args:
            parent_id: The unique id of the node; empty for all nodes of the execution.
            reason: Why, in Flyte's words.
        """
        doomed = [record for record in self._live.values() if self._is_inside(record, parent_id)]
        for record in doomed:
            if record.on_abort is not None:
                await record.on_abort(reason)
        now = self._clock.now()
        async with self._writing() as together:
            for record in reversed(doomed):
                self._abort_attempt(record, together, now)
                record.abort(now, reason)
                together.put_node(record.message, record.place.parent_id)
                del self._live[record.place.node_id]

    @staticmethod
    def _abort_attempt(record: NodeRecord, together: Transaction, now: dt.datetime) -> None:
        attempt = record.attempt
        if attempt is not None and not attempt.has_ended:
            attempt.abort(now)
            attempt.has_ended = True
            together.put_attempt(attempt.message)

    def _is_inside(self, record: NodeRecord, parent_id: str) -> bool:
        if record.place.parent_id == parent_id or not parent_id:
            return True
        parent = self._live.get(record.place.parent_id)
        return parent is not None and self._is_inside(parent, parent_id)

    # --- attempts ---

    async def start_attempt(
        self, node: NodeRecord, task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap
    ) -> AttemptRecord:
        """Write an attempt as QUEUED, and its node as RUNNING with the first."""
        attempt = self.new_attempt(node, task)
        async with self._writing() as together:
            together.put_attempt(attempt.message)
            together.put_attempt_data(attempt.message.id, inputs=inputs)
            if node.number == 0:
                node.run(self._clock.now())
                together.put_node(node.message, node.place.parent_id)
        return attempt

    async def run_attempt(self, attempt: AttemptRecord, logs: Sequence[execution_pb2.TaskLog]) -> None:
        """Write an attempt as RUNNING, with the links to its logs."""
        attempt.run(self._clock.now(), logs)
        async with self._writing() as together:
            together.put_attempt(attempt.message)

    async def end_attempt(self, attempt: AttemptRecord, outcome: Outcome) -> None:
        """Write how an attempt ended."""
        attempt.end(self._clock.now(), outcome)
        attempt.has_ended = True
        async with self._writing() as together:
            together.put_attempt(attempt.message)
            if outcome.error is None:
                together.put_attempt_data(attempt.message.id, outputs=outcome.outputs)

    def new_attempt(self, node: NodeRecord, task: tasks_pb2.TaskTemplate) -> AttemptRecord:
        """Return the record of an attempt, not yet written."""
        node.attempt = AttemptRecord(node, task, self._clock.now())
        return node.attempt

    async def end_at_once(self, attempt: AttemptRecord, inputs: literals_pb2.LiteralMap, outcome: Outcome) -> None:
        """Write an attempt that has ended as soon as it was queued."""
        attempt.end(self._clock.now(), outcome)
        attempt.has_ended = True
        async with self._writing() as together:
            together.put_attempt(attempt.message)
            together.put_attempt_data(attempt.message.id, inputs=inputs, outputs=outcome.outputs)

    # --- the execution ---

    async def run_execution(self, workflow_id: identifier_pb2.Identifier) -> None:
        """Write the execution as RUNNING."""

        def change(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.workflow_id.CopyFrom(workflow_id)
            message.closure.phase = _WORKFLOW.RUNNING
            message.closure.started_at.FromDatetime(now)

        await self._change(change)

    async def fail_execution(self, error: execution_pb2.ExecutionError) -> None:
        """Write the execution as FAILING: it ends when what still runs was aborted and the failure was handled."""

        def change(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.phase = _WORKFLOW.FAILING
            message.closure.error.CopyFrom(error)

        await self._change(change)

    async def end_execution(self, outcome: Outcome) -> None:
        """Write how the execution ended: through SUCCEEDING or FAILING, as Flyte does."""
        if outcome.error is not None:
            await self._end_failed(outcome.error)
            return

        def leave(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.phase = _WORKFLOW.SUCCEEDING

        def end(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.outputs.uri = Place.at_top(self.root, END_NODE).outputs_uri()
            _stop(message, _WORKFLOW.SUCCEEDED, now)

        await self._change(leave)
        with anyio.CancelScope(shield=True):
            await self._store.put_execution_data(self.execution_id, outputs=outcome.outputs)
        await self._change(end)

    async def _end_failed(self, error: execution_pb2.ExecutionError) -> None:
        await self.fail_execution(error)

        def end(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.error.CopyFrom(error)
            _stop(message, _WORKFLOW.FAILED, now)

        await self._change(end)

    async def announce_abort(self, cause: str, principal: str) -> None:
        """Write the execution as ABORTING, unless it is already: then it keeps its cause."""

        def change(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.abort_metadata.cause = cause
            message.closure.abort_metadata.principal = principal
            message.closure.phase = _WORKFLOW.ABORTING

        await self._change(change)

    async def abort_execution(self) -> None:
        """Write an execution that is ABORTING as ABORTED, with all that has not ended in it."""
        await self.abort_inside("", WORKFLOW_ABORTED)

        def change(message: admin_pb2.Execution, now: dt.datetime) -> None:
            _stop(message, _WORKFLOW.ABORTED, now)

        await self._change(change, aborting=True)

    async def _change(
        self, change: Callable[[admin_pb2.Execution, dt.datetime], None], *, aborting: bool = False
    ) -> None:
        """Change the execution, unless it has ended; one that is ABORTING can only become ABORTED."""
        now = self._clock.now()

        def guarded(message: admin_pb2.Execution) -> None:
            phase = WorkflowPhase(message.closure.phase)
            if not phase.is_terminal and (aborting or phase is not WorkflowPhase.ABORTING):
                change(message, now)
                message.closure.updated_at.FromDatetime(now)

        with anyio.CancelScope(shield=True):
            await self._store.update_execution(self.execution_id, guarded)


def _stop(message: admin_pb2.Execution, phase: execution_pb2.WorkflowExecution.Phase, now: dt.datetime) -> None:
    message.closure.phase = phase
    if message.closure.HasField("started_at"):
        message.closure.duration.FromTimedelta(now - message.closure.started_at.ToDatetime(now.tzinfo))
