"""Writes what happens in one execution into the store: each step of a node in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import node_execution_pb2
from flyteidl.core import execution_pb2

from flyte_remote_async.devserver.engine.graph import END_NODE
from flyte_remote_async.devserver.engine.records import AttemptRecord, NodeRecord, end_row, start_row
from flyte_remote_async.devserver.naming import Place, root_uri
from flyte_remote_async.models.phases import WorkflowPhase

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from flyteidl.admin import execution_pb2 as admin_pb2
    from flyteidl.core import compiler_pb2, identifier_pb2, literals_pb2, tasks_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.outcome import Outcome
    from flyte_remote_async.devserver.store import Store

__all__ = ["WORKFLOW_ABORTED", "Recorder"]

WORKFLOW_ABORTED: Final = "Workflow aborted."
_WORKFLOW: Final = execution_pb2.WorkflowExecution


class Recorder:
    """The pen of one execution.

    Args:
        store: Where it writes.
        clock: What it dates with.
        execution_id: Whose execution it is.

    Attributes:
        abort_reason: Why what runs is stopped, once something stops it, in Flyte's words.
    """

    def __init__(self, store: Store, clock: Clock, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        self._store = store
        self._clock = clock
        self.execution_id = execution_id
        self.root = root_uri(execution_id)
        self.abort_reason = ""
        self._live: dict[str, NodeRecord] = {}

    # --- nodes ---

    async def start(self, place: Place, inputs: literals_pb2.LiteralMap) -> None:
        """Write the start node of a workflow and its inputs."""
        row = start_row(self.execution_id, place, self._clock.now())
        async with self._store.transaction() as together:
            together.put_node(row, place.parent_id)
            together.put_node_data(row.id, outputs=inputs)

    async def finish(self, place: Place, outputs: literals_pb2.LiteralMap) -> None:
        """Write the end node of a workflow and its outputs."""
        row = end_row(self.execution_id, place, self._clock.now())
        async with self._store.transaction() as together:
            together.put_node(row, place.parent_id)
            together.put_node_data(row.id, inputs=outputs)

    def new_node(self, place: Place) -> NodeRecord:
        """Return the record of a node, not yet written."""
        return NodeRecord(self.execution_id, place, self._clock.now())

    async def queue(self, record: NodeRecord, inputs: literals_pb2.LiteralMap) -> None:
        """Write a node as QUEUED, with its inputs."""
        self._live[record.place.node_id] = record
        async with self._store.transaction() as together:
            together.put_node(record.message, record.place.parent_id)
            together.put_node_data(record.message.id, inputs=inputs)

    async def run_parent(self, record: NodeRecord) -> None:
        """Write a node that has nodes inside as RUNNING."""
        record.run(self._clock.now(), is_parent=True)
        await self._store.put_node(record.message, record.place.parent_id)

    async def run_child(self, record: NodeRecord, child: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        """Write a node that has started an execution as RUNNING."""
        record.run(self._clock.now(), child=child)
        await self._store.put_node(record.message, record.place.parent_id)

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
        async with self._store.transaction() as together:
            together.put_node(record.message, record.place.parent_id)
            together.put_node_data(node_id, dynamic_workflow=dynamic)
            together.put_dynamic_workflow(
                node_id, node_execution_pb2.DynamicNodeWorkflowResponse(compiled_workflow=closure)
            )

    async def end_node(self, record: NodeRecord, outcome: Outcome) -> None:
        """Write how a node ended."""
        record.end(self._clock.now(), outcome)
        async with self._store.transaction() as together:
            together.put_node(record.message, record.place.parent_id)
            if outcome.error is None:
                together.put_node_data(record.message.id, outputs=outcome.outputs)
        self._live.pop(record.place.node_id, None)

    async def abort_inside(self, parent_id: str, reason: str) -> None:
        """Write all nodes inside of a node that have not ended as ABORTED, with their attempts.

        Args:
            parent_id: The unique id of the node; empty for all nodes of the execution.
            reason: Why, in Flyte's words.
        """
        doomed = [record for record in self._live.values() if self._is_inside(record, parent_id)]
        now = self._clock.now()
        async with self._store.transaction() as together:
            for record in reversed(doomed):
                if record.attempt is not None and not record.attempt.has_ended:
                    record.attempt.abort(now, reason)
                    together.put_attempt(record.attempt.message)
                record.abort(now, reason)
                together.put_node(record.message, record.place.parent_id)
                del self._live[record.place.node_id]

    def _is_inside(self, record: NodeRecord, parent_id: str) -> bool:
        if record.place.parent_id == parent_id or not parent_id:
            return True
        parent = self._live.get(record.place.parent_id)
        return parent is not None and self._is_inside(parent, parent_id)

    # --- attempts ---

    async def start_attempt(
        self, node: NodeRecord, task: tasks_pb2.TaskTemplate, number: int, inputs: literals_pb2.LiteralMap
    ) -> AttemptRecord:
        """Write an attempt as QUEUED, and its node as RUNNING with the first."""
        attempt = self.new_attempt(node, task, number)
        async with self._store.transaction() as together:
            together.put_attempt(attempt.message)
            together.put_attempt_data(attempt.message.id, inputs=inputs)
            if number == 0:
                node.run(self._clock.now())
                together.put_node(node.message, node.place.parent_id)
        return attempt

    async def run_attempt(self, attempt: AttemptRecord, logs: Sequence[execution_pb2.TaskLog]) -> None:
        """Write an attempt as RUNNING, with the links to its logs."""
        attempt.run(self._clock.now(), logs)
        await self._store.put_attempt(attempt.message)

    async def end_attempt(self, attempt: AttemptRecord, outcome: Outcome) -> None:
        """Write how an attempt ended."""
        attempt.end(self._clock.now(), outcome)
        async with self._store.transaction() as together:
            together.put_attempt(attempt.message)
            if outcome.error is None:
                together.put_attempt_data(attempt.message.id, outputs=outcome.outputs)
        # Only now: a cancelled write leaves the attempt to be aborted.
        attempt.has_ended = True

    def new_attempt(self, node: NodeRecord, task: tasks_pb2.TaskTemplate, number: int) -> AttemptRecord:
        """Return the record of an attempt, not yet written."""
        node.attempt = AttemptRecord(node, task, number, self._clock.now())
        return node.attempt

    async def end_at_once(self, attempt: AttemptRecord, inputs: literals_pb2.LiteralMap, outcome: Outcome) -> None:
        """Write an attempt that has ended as soon as it was queued."""
        attempt.end(self._clock.now(), outcome)
        async with self._store.transaction() as together:
            together.put_attempt(attempt.message)
            together.put_attempt_data(attempt.message.id, inputs=inputs, outputs=outcome.outputs)
        attempt.has_ended = True

    # --- the execution ---

    async def run_execution(self, workflow_id: identifier_pb2.Identifier) -> None:
        """Write the execution as RUNNING."""

        def change(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.workflow_id.CopyFrom(workflow_id)
            message.closure.phase = _WORKFLOW.RUNNING
            message.closure.started_at.FromDatetime(now)

        await self._change(change)

    async def end_execution(self, outcome: Outcome) -> None:
        """Write how the execution ended: through SUCCEEDING or FAILING, as Flyte does."""
        on_the_way = _WORKFLOW.SUCCEEDING if outcome.error is None else _WORKFLOW.FAILING

        def leave(message: admin_pb2.Execution, _now: dt.datetime) -> None:
            message.closure.phase = on_the_way

        def end(message: admin_pb2.Execution, now: dt.datetime) -> None:
            if outcome.error is None:
                message.closure.outputs.uri = Place.at_top(self.root, END_NODE).outputs_uri()
                _stop(message, _WORKFLOW.SUCCEEDED, now)
            else:
                message.closure.error.CopyFrom(outcome.error)
                _stop(message, _WORKFLOW.FAILED, now)

        await self._change(leave)
        if outcome.error is None:
            await self._store.put_execution_data(self.execution_id, outputs=outcome.outputs)
        await self._change(end)

    async def abort_execution(self, cause: str, principal: str) -> None:
        """Write the execution as ABORTED, with all that has not ended in it."""
        await self.abort_inside("", WORKFLOW_ABORTED)

        def change(message: admin_pb2.Execution, now: dt.datetime) -> None:
            message.closure.abort_metadata.cause = cause
            message.closure.abort_metadata.principal = principal
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

        await self._store.update_execution(self.execution_id, guarded)


def _stop(message: admin_pb2.Execution, phase: execution_pb2.WorkflowExecution.Phase, now: dt.datetime) -> None:
    message.closure.phase = phase
    if message.closure.HasField("started_at"):
        message.closure.duration.FromTimedelta(now - message.closure.started_at.ToDatetime(now.tzinfo))
