"""Writes what happens in one execution into the store: each step of a node in one transaction."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
from flyteidl.admin import node_execution_pb2

from flyte_remote_async.devserver.engine.execution_recorder import ExecutionRecorder
from flyte_remote_async.devserver.engine.records import AttemptRecord, NodeRecord, end_row, start_row
from flyte_remote_async.devserver.naming import root_uri

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Iterable, Sequence

    from flyteidl.core import compiler_pb2, execution_pb2, identifier_pb2, literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.naming import Place
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.store import Store, Transaction

__all__ = ["Recorder"]


class Recorder:
    """The pen of one execution.

    Args:
        store: Where it writes.
        clock: What it dates with.
        execution_id: Whose execution it is.

    Attributes:
        execution: Writes what happens to the execution as a whole.
    """

    def __init__(self, store: Store, clock: Clock, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        self._store = store
        self._clock = clock
        self.execution_id = execution_id
        self.root = root_uri(execution_id)
        self.execution = ExecutionRecorder(store, clock, execution_id)
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
        async with self._writing() as together:
            for record in reversed(doomed):
                # As in Flyte, which dates each by itself: what is inside ends before what it is inside of.
                now = self._clock.now()
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
                node.promise_deck(task)
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
